"""The protocols: a file each, with its function, its result where it has one of its own, and its options."""
