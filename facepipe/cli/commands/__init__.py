"""The commands of facepipe: a file each, which defines ``command``; its first line is listed by ``facepipe --help``."""
