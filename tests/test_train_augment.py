"""Augmentation: chances kept, ranges kept, nothing done that was not asked for."""

import io

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError
from skimage.data import astronaut

from facepipe.train.augment import NUMBERS, Augment, augment_batch

FACE = np.ascontiguousarray(astronaut()[40:152, 170:266])


def augmented(numbers, **settings):
    crops = np.stack([FACE] * len(numbers))
    augment_batch(crops, numbers, Augment(**settings))
    return crops


def numbers_of(count, seed=0):
    return np.random.default_rng(seed).random((count, NUMBERS))


def test_mirror_at_its_chance_and_exactly():
    numbers = numbers_of(400)
    crops = augmented(numbers, mirror=0.3)
    turned = np.array([(crop == FACE[:, ::-1]).all() for crop in crops])
    kept = np.array([(crop == FACE).all() for crop in crops])
    assert (turned ^ kept).all()
    assert (turned == (numbers[:, 0] < 0.3)).all()
    assert 80 < turned.sum() < 160


def test_nothing_is_asked_nothing_is_done():
    assert (augmented(numbers_of(5), mirror=0.0) == FACE).all()


@pytest.mark.parametrize("change", ["crop", "colour", "grey", "blur", "low_resolution", "jpeg"])
def test_each_change_alone(change):
    numbers = numbers_of(40)
    crops = augmented(numbers, mirror=0.0, **{change: 0.5})
    assert crops.dtype == np.uint8
    touched = np.array([(crop != FACE).any() for crop in crops])
    assert 8 < touched.sum() < 32
    again = augmented(numbers, mirror=0.0, **{change: 0.5})
    assert (again == crops).all()
    # It is still the same face: closer to itself than to its mirror image.
    distance = abs(crops.astype(float) - FACE).mean((1, 2, 3))
    assert (distance < abs(crops.astype(float) - FACE[:, ::-1]).mean((1, 2, 3))).all()


def test_one_change_does_not_move_the_numbers_of_another():
    numbers = numbers_of(30)
    alone = augmented(numbers, mirror=0.5, grey=0.0)
    both = augmented(numbers, mirror=0.5, grey=1.0)
    weights = np.array([0.299, 0.587, 0.114])
    grey = np.rint(alone @ weights)
    assert abs(both - grey[..., None]).max() <= 1


def test_grey_has_three_equal_channels_and_jpeg_agrees_with_pillow():
    grey = augmented(numbers_of(1), mirror=0.0, grey=1.0)[0]
    assert (grey == grey[:, :, :1]).all()
    numbers = np.zeros((1, NUMBERS))
    ours = augmented(numbers, mirror=0.0, jpeg=1.0, jpeg_lowest=30)[0]
    stream = io.BytesIO()
    Image.fromarray(FACE).save(stream, "JPEG", quality=30)
    theirs = np.asarray(Image.open(io.BytesIO(stream.getvalue())))
    assert abs(ours.astype(float) - theirs).mean() < 1.5  # two encoders of one standard
    assert abs(ours.astype(float) - FACE).mean() > 2.5


def test_blur_and_low_resolution_take_detail_away():
    def detail(crop):
        return abs(np.diff(crop.astype(float), axis=1)).mean()

    for change in ("blur", "low_resolution"):
        crops = augmented(numbers_of(6), mirror=0.0, **{change: 1.0})
        assert max(detail(crop) for crop in crops) < detail(FACE)


def test_settings_are_checked():
    for wrong in ({"mirror": 1.5}, {"jpeg_lowest": 0}, {"blurr": 0.1}):
        with pytest.raises(ValidationError):
            Augment(**wrong)
