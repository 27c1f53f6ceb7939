"""The protocols, one file each: its function, its options and, where it has its own, its result class."""
