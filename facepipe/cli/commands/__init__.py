"""The commands of facepipe, one file each, which defines ``command``; its first line is in ``facepipe --help``."""
