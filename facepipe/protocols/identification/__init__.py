"""Searching a gallery, including for people not in it."""
