"""Additional faces for distillation: blends of the aligned crops of two people.

Teacher targets for mixed images help when photos are few (Beyer et al., Knowledge Distillation: A Good Teacher Is
Patient and Consistent, CVPR 2022, Sec. 3). Aligned crops have eyes and mouth in the same places, so a blend looks like
the face of a third person.
"""

import numpy as np

from facepipe.datasets import Samples
from facepipe.datasets.samples.samples import UNLABELLED
from facepipe.errors import ImageError
from facepipe.images import encode_rgb, read_rgb
from facepipe.train.data.inpaint import inpaint_outside

FAINTEST = 0.25
"""Smallest weight of the fainter face."""


def blends(samples: Samples, count: int, seed: int) -> Samples:
    """``count`` unlabelled blends of ``samples``; black borders are inpainted first.

    Blend k mixes sample k mod N with a random other one, with weights between ``FAINTEST`` and 1 − ``FAINTEST``.
    """
    generator = np.random.Generator(np.random.Philox(key=[seed, 0xB1E7D]))
    first = np.arange(count) % len(samples)
    second = (first + generator.integers(1, max(len(samples), 2), count)) % len(samples)
    share = generator.uniform(FAINTEST, 1 - FAINTEST, count)

    def read(index: int) -> bytes:
        a, b = (_inpainted(samples, int(which[index])) for which in (first, second))
        if a.shape != b.shape:
            raise ImageError(f"{key(index)}: crops of different sizes cannot be blended")
        mixed = np.rint(share[index] * a + (1 - share[index]) * b)
        return encode_rgb(mixed.astype(np.uint8), ".bmp")  # read once or twice, so speed matters, not size

    def key(index: int) -> str:
        return f"blend of {samples.key(int(first[index]))} and {samples.key(int(second[index]))}"

    return Samples(f"{count} blends", np.full(count, UNLABELLED, np.int64), [], read, key)


def _inpainted(samples: Samples, index: int) -> np.ndarray:
    return inpaint_outside(read_rgb(samples.read(index), name=samples.key(index)))
