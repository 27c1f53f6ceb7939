"""Augmentation: chances kept, ranges kept, nothing done that was not asked for."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError
from scipy.ndimage import map_coordinates
from skimage.data import astronaut

from facepipe.train.data.augment import NUMBERS, Augment, augment_batch
from facepipe.train.data.fill_outside import fill_outside

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


@pytest.mark.parametrize("change", ["crop", "colour", "grey", "blur", "low_resolution", "jpeg", "warp", "erase"])
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


def tight(edge=22):
    """A crop of which a turned rectangle is photo, the rest black, after lossy compression."""
    height, width = FACE.shape[:2]
    corners = np.array([[edge, 4], [width + 9, -6], [width + 9, height - edge], [edge - 6, height - edge - 5]])
    mask = cv2.fillConvexPoly(np.zeros((height, width), np.uint8), corners.astype(np.int32), 1).astype(bool)
    stream = io.BytesIO()
    pixels = np.where(mask[..., None], np.maximum(FACE, 20), 0).astype(np.uint8)
    Image.fromarray(pixels).save(stream, "WEBP", quality=90)
    return np.array(Image.open(io.BytesIO(stream.getvalue())).convert("RGB")), mask


def test_fill_replaces_the_black_outside_and_keeps_the_photo():
    crop, photo = tight()
    filled = fill_outside(crop)
    assert filled.dtype == np.uint8 and filled.shape == crop.shape
    outside = ~photo
    assert (crop[outside].max(1) <= 20).mean() > 0.9 and (filled[outside].max(1) <= 15).mean() < 0.02
    kept = cv2.erode(photo.astype(np.uint8), np.ones((11, 11))).astype(bool)
    assert (filled[kept] == crop[kept]).all()
    # The colours are those of the photo beside them: about as bright as the seam inside.
    assert abs(filled[outside].mean() - crop[photo & ~kept].mean()) < 40
    assert (fill_outside(crop) == filled).all()


def test_fill_leaves_what_is_not_an_outside():
    inner = FACE.copy()
    inner = np.maximum(inner, 12)
    inner[50:60, 40:60] = 0  # a black spot that does not touch the border
    for crop in (np.maximum(FACE, 12), inner, np.zeros_like(FACE), np.full_like(FACE, 255)):
        assert (fill_outside(crop) == crop).all()


def test_warp_is_the_similarity_it_says():
    numbers = numbers_of(1)
    numbers[0, 22] = 0  # it happens
    angle, scale, x, y = 2 * numbers[0, 23:27] - 1
    ours = augmented(numbers, mirror=0.0, warp=1.0, warp_angle=10.0, warp_scale=0.1, warp_shift=4.0)[0]
    height, width = FACE.shape[:2]
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    radians, size = np.deg2rad(10 * angle), 1 + 0.1 * scale
    turn = size * np.array([[np.cos(radians), np.sin(radians)], [-np.sin(radians), np.cos(radians)]])
    ys, xs = np.mgrid[:height, :width]
    there = np.stack([xs, ys], -1) - np.array([4 * x, 4 * y]) - centre
    source = there @ np.linalg.inv(turn).T + centre
    theirs = np.stack(
        [map_coordinates(FACE[..., c].astype(float), source[..., ::-1].transpose(2, 0, 1), order=1, mode="nearest")
         for c in range(3)], -1
    )  # fmt: skip
    inside = ((source > 1) & (source < [width - 2, height - 2])).all(-1)
    assert inside.mean() > 0.8
    assert abs(ours.astype(float) - theirs)[inside].mean() < 1.0  # OpenCV rounds coordinates to 1/32
    still = augmented(numbers_of(3), mirror=0.0, warp=1.0, warp_angle=0.0, warp_scale=0.0, warp_shift=0.0)
    assert (still == FACE).all()


def test_colour_is_the_formula():
    numbers = numbers_of(12)
    numbers[:, 5] = 0
    ours = augmented(numbers, mirror=0.0, colour=1.0, colour_range=0.3)
    for crop, (brightness, contrast, saturation) in zip(ours, 1 + 0.3 * (2 * numbers[:, 6:9] - 1), strict=True):
        values = FACE * brightness
        values = values.mean() + contrast * (values - values.mean())
        grey = (values @ np.array([0.299, 0.587, 0.114]))[..., None]
        values = np.clip(grey + saturation * (values - grey), 0, 255)
        assert abs(crop - values).max() <= 1  # OpenCV multiplies in fixed point


def test_erase_hides_one_rectangle_of_the_mean_colour():
    for crop in augmented(numbers_of(20), mirror=0.0, erase=1.0, erase_largest=0.5):
        changed = (crop != FACE).any(-1)
        rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
        box = crop[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        assert len(rows) <= 56 and len(columns) <= 48
        assert (box == np.rint(FACE.mean((0, 1)))).all()
