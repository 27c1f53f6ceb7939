"""Crops of one size in a network of another."""

import numpy as np
import pytest

from facepipe.alignment import Aligner, fit_crop
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


@pytest.mark.parametrize("width", range(97, 113))
def test_a_wider_crop_gives_its_middle_to_detection_and_to_training_alike(width):
    """Of an odd number of columns too many, the odd one falls away on the right."""
    crop = np.broadcast_to(np.arange(width, dtype=np.uint8)[None, :, None], (112, width, 3))
    taken = Aligner("112x96").accept(crop)
    np.testing.assert_array_equal(taken, fit_crop(crop, (112, 96)))
    assert taken[0, 0, 0] == (width - 96) // 2
