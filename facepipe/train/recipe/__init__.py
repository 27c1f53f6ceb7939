"""Recipes: their schema, their files, and what is filled in from elsewhere."""
