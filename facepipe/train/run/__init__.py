"""A training run, from recipe to finished model."""
