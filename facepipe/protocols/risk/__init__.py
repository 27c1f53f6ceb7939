"""Evaluating confidence measures."""
