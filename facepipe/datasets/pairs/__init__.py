"""Lists of pairs, one format per file."""
