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
from facepipe.train.data.inpaint import inpaint_outside

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


def test_no_augmentation_changes_nothing():
    assert (augmented(numbers_of(5), mirror=0.0) == FACE).all()


CHANGES = [name for name, value in Augment().model_dump().items() if value == 0.0 and name != "inpaint"]
"""All that have a chance, which is 0 unless given; there is nothing to inpaint around this face."""


@pytest.mark.parametrize("change", CHANGES)
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


def test_inpainting_replaces_the_black_border_and_keeps_the_photo():
    crop, photo = tight()
    filled = inpaint_outside(crop)
    assert filled.dtype == np.uint8 and filled.shape == crop.shape
    outside = ~photo
    assert (crop[outside].max(1) <= 20).mean() > 0.9 and (filled[outside].max(1) <= 15).mean() < 0.02
    kept = cv2.erode(photo.astype(np.uint8), np.ones((11, 11))).astype(bool)
    assert (filled[kept] == crop[kept]).all()
    # The colours are those of the photo beside them: about as bright as the seam inside.
    assert abs(filled[outside].mean() - crop[photo & ~kept].mean()) < 40
    assert (inpaint_outside(crop) == filled).all()


def test_inpainting_leaves_other_black_regions():
    inner = FACE.copy()
    inner = np.maximum(inner, 12)
    inner[50:60, 40:60] = 0  # a black spot that does not touch the border
    for crop in (np.maximum(FACE, 12), inner, np.zeros_like(FACE), np.full_like(FACE, 255)):
        assert (inpaint_outside(crop) == crop).all()


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


def test_darkness_loses_levels_and_keeps_the_order():
    dark = augmented(numbers_of(6), mirror=0.0, dark=1.0, dark_lowest=0.2)
    for crop in dark:
        factor = crop.max() / FACE.max()
        assert 0.15 < factor < 1
        assert abs(crop - FACE * factor).max() <= 1.5
    assert len(np.unique(dark[0])) < len(np.unique(FACE))


def test_noise_has_the_sigma_that_was_drawn():
    numbers = numbers_of(4)
    grey = np.full_like(FACE, 128)
    for row in numbers:
        crops = grey[None].copy()
        augment_batch(crops, row[None], Augment(mirror=0.0, noise=1.0, noise_sigma=30.0))
        assert (crops[0] - 128.0).std() == pytest.approx(30 * row[55], rel=0.02, abs=0.3)
        assert abs((crops[0] - 128.0).mean()) < 0.5


def test_glasses_cover_the_eyes_and_masks_the_mouth_in_one_colour():
    face = np.ascontiguousarray(astronaut()[40:152, 162:274])  # 112×112
    covered = []
    for lowest in (0.0, 0.6):  # glasses, mask
        numbers = np.full((1, NUMBERS), 0.5)
        numbers[0, 47:54] = [0.0, lowest, 0.5, 0.9, 0.9, 0.9, 0.5]
        crops = face[None].copy()
        augment_batch(crops, numbers, Augment(mirror=0.0, occlude=1.0))
        changed = (crops[0] != face).any(2)
        assert len(np.unique(crops[0][changed], axis=0)) == 1
        covered.append(changed)
    glasses, mask = covered
    # insightface's template: eyes at (38.3, 51.7) and (73.5, 51.5), mouth corners at (41.5, 92.4) and (70.7, 92.2).
    assert glasses[51, 38] and glasses[51, 73] and not glasses[92, 41] and not glasses[92, 70]
    assert mask[92, 41] and mask[92, 70] and mask[92, 56] and not mask[51, 38] and not mask[51, 73]
    assert 0.03 < glasses.mean() < 0.2 and 0.1 < mask.mean() < 0.35


def test_perspective_is_a_homography_of_bounded_reach():
    """Checked against SciPy: each pixel comes from where the homography of the moved corners says."""
    share, numbers = 0.12, numbers_of(5, seed=2)
    crops = augmented(numbers, mirror=0.0, perspective=1.0, perspective_share=share)
    height, width = FACE.shape[:2]
    corners = np.array([[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]], float)
    for crop, row in zip(crops, numbers, strict=True):
        turn, nod = share * (2 * row[37:39] - 1)
        jitter = share / 4 * (2 * row[39:45] - 1)
        moved = []
        for k, (x, y) in enumerate(corners / (width - 1, height - 1) - 0.5):
            growth = 1 + 2 * (turn * x + nod * y)
            moved.append((x * growth + jitter[k] + 0.5, y * growth + jitter[[4, 5, 4, 5][k]] + 0.5))
        moved = np.array(moved)
        assert abs(moved - corners / (width - 1, height - 1)).max() <= share * 1.25 + 1e-9
        back = _homography(moved * (width - 1, height - 1), corners)
        rows, columns = np.mgrid[:height, :width]
        source = np.stack([columns, rows, np.ones_like(rows)], -1) @ back.T
        at = [source[..., 1] / source[..., 2], source[..., 0] / source[..., 2]]
        planes = [map_coordinates(FACE[..., c].astype(float), at, order=1, mode="nearest") for c in range(3)]
        expected = np.stack(planes, -1)
        assert abs(crop[4:-4, 4:-4] - expected[4:-4, 4:-4]).mean() < 1.0


def _homography(source, target):
    """The 3×3 that takes four points to four others, solved directly."""
    rows, values = [], []
    for (x, y), (u, v) in zip(source, target, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return np.append(np.linalg.solve(np.array(rows), np.array(values)), 1).reshape(3, 3)
