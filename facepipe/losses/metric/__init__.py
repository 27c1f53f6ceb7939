"""Losses over pairs and triplets of embeddings."""
