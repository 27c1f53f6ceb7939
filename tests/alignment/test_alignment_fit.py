"""Crops of one size in a network of another."""

import numpy as np
import pytest

from facepipe.alignment import fit_crop
from facepipe.errors import ImageError


@pytest.mark.parametrize(("wide", "first"), [(9, 0), (10, 1)])
def test_the_middle_of_up_to_a_quarter_more(wide, first):
    crop = np.arange(8 * wide * 3, dtype=np.uint8).reshape(8, wide, 3)
    assert (fit_crop(crop, (8, 8)) == crop[:, first : first + 8]).all()


@pytest.mark.parametrize("shape", [(8, 11), (8, 7), (9, 8)])
def test_what_has_no_middle(shape):
    with pytest.raises(ImageError, match=f"the crop is {shape[0]}×{shape[1]}, the network takes 8×8"):
        fit_crop(np.zeros((*shape, 3), np.uint8), (8, 8))
    assert fit_crop(np.zeros((*shape, 3), np.uint8), (8, 8), "resize").shape == (8, 8, 3)
