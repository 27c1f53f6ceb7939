"""Searches in a gallery, people outside it included."""
