"""facepipe: an end-to-end face recognition pipeline."""

__version__ = "0.1.0"
