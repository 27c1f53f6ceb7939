"""A run from recipe to finished model."""
