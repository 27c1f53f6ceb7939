"""Data sets: training sources, read sample by sample, and the lists of protocols.

Names are imported lazily: lists of pairs need neither OpenCV nor Arrow.
"""

from typing import TYPE_CHECKING

from facepipe.imports import lazy

if TYPE_CHECKING:
    from facepipe.datasets.samples.opening import open_samples
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

__getattr__ = lazy(__name__, {
    "Samples": "samples.samples",
    "add_unlabelled": "samples.unlabelled",
    "at_most": "samples.splits",
    "drop_small": "samples.splits",
    "fingerprint": "samples.samples",
    "hold_out": "samples.splits",
    "hold_out_images": "samples.splits",
    "join_samples": "samples.samples",
    "leave_out": "samples.splits",
    "open_samples": "samples.opening",
    "open_unlabelled": "samples.unlabelled",
    "take": "samples.samples",
})
