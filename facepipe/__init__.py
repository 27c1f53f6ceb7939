"""facepipe: an end-to-end face recognition pipeline."""

from facepipe.threads import prepare_threads

__version__ = "0.1.0"

# Here, because OpenMP reads its environment once, when torch loads it.
prepare_threads()
