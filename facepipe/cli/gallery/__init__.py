"""Shared by the commands of ``facepipe gallery``."""
