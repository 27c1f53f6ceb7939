"""Verification of pairs of images or videos."""
