"""More faces for a teacher to describe: aligned crops of two people laid over each other.

A teacher that describes the mixtures themselves teaches more from few photos (Beyer et al., Knowledge
Distillation: A Good Teacher Is Patient and Consistent, CVPR 2022, section 3). Eyes and mouths lie upon each
other in aligned crops, so a blend looks like a face of a third person.
"""

import numpy as np

from facepipe.datasets import Samples
from facepipe.datasets.samples.samples import NOBODY
from facepipe.errors import ImageError
from facepipe.images import encode_rgb, read_rgb
from facepipe.train.data.inpaint import inpaint_outside

FAINTEST = 0.25
"""Share of the fainter of the two faces."""


def blends(samples: Samples, count: int, seed: int) -> Samples:
    """``count`` blends of ``samples``, with no label; black outsides are filled first.

    Blend k is of sample k mod N and of another, drawn at random, with shares between ``FAINTEST`` and 1 − ``FAINTEST``.
    """
    generator = np.random.Generator(np.random.Philox(key=[seed, 0xB1E7D]))
    first = np.arange(count) % len(samples)
    second = (first + generator.integers(1, max(len(samples), 2), count)) % len(samples)
    share = generator.uniform(FAINTEST, 1 - FAINTEST, count)

    def read(index: int) -> bytes:
        a, b = (_filled(samples, int(which[index])) for which in (first, second))
        if a.shape != b.shape:
            raise ImageError(f"{key(index)}: crops of different sizes cannot be blended")
        mixed = np.rint(share[index] * a + (1 - share[index]) * b)
        return encode_rgb(mixed.astype(np.uint8), ".bmp")  # read once or twice: quick, not small

    def key(index: int) -> str:
        return f"blend of {samples.key(int(first[index]))} and {samples.key(int(second[index]))}"

    return Samples(f"{count} blends", np.full(count, NOBODY, np.int64), [], read, key)


def _filled(samples: Samples, index: int) -> np.ndarray:
    return inpaint_outside(read_rgb(samples.read(index), name=samples.key(index)))
