"""The Python API; its names are those of `facepipe` itself, which imports them on first use."""
