"""Learning from another network."""
