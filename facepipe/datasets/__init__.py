"""Data sets: training sources that are read sample by sample, and the lists that protocols need."""

from facepipe.datasets.open_samples import open_samples
from facepipe.datasets.samples.samples import Samples, fingerprint, join_samples, take
from facepipe.datasets.samples.splits import at_most, drop_small, hold_out, hold_out_images, leave_out
from facepipe.datasets.samples.unlabelled import add_unlabelled, open_unlabelled

__all__ = [
    "Samples",
    "add_unlabelled",
    "at_most",
    "drop_small",
    "fingerprint",
    "hold_out",
    "hold_out_images",
    "join_samples",
    "leave_out",
    "open_samples",
    "open_unlabelled",
    "take",
]
