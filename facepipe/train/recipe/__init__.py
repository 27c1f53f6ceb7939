"""Recipes: schema, files, and resolution from command-line arguments and saved runs."""
