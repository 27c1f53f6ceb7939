"""The warp against scikit-image's, and pictures whose crop is known in closed form."""

import numpy as np
import pytest
from similarities import crop_pixels, moved, rgb, similarity
from skimage.transform import AffineTransform
from skimage.transform import warp as reference_warp

from facepipe.alignment import warp


@pytest.mark.parametrize(("scale", "angle"), [(0.4, 0.2), (1, 0), (1, 0.1), (1.3, -0.4), (1.9, 1.2)])
def test_warp_is_bilinear(scale, angle, astronaut):
    image = astronaut[100:300, 120:360]
    matrix = similarity(scale, angle, 60, 40)
    got = warp(image, matrix, 112, 96).astype(float)
    transform = AffineTransform(np.vstack([matrix, [0, 0, 1]]))
    expected = reference_warp(image.astype(float), transform, output_shape=(112, 96), order=1, preserve_range=True)
    # OpenCV before 5 rounds positions to 1/32 pixel.
    assert np.abs(got - expected).mean() < 0.75
    assert np.quantile(np.abs(got - expected), 0.99) <= 4


def test_identity_and_shift_by_whole_pixels():
    image = np.random.default_rng(0).integers(0, 256, (130, 140, 3), np.uint8)
    assert (warp(image, similarity(1, 0), 112, 96) == image[:112, :96]).all()
    assert (warp(image, similarity(1, 0, 7, 11), 112, 96) == image[11:123, 7:103]).all()


FACTORS = [1.5, 2.0, 2.3, 2.99, 3.7, 6.0]


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("angle", [0.0, 0.3, 2.5])
def test_gradient_keeps_its_values(factor, angle):
    """A plane goes through averaging and bilinear reading unchanged."""
    matrix = similarity(factor, angle)
    matrix[:, 2] = 400 - moved(matrix, np.array([[47.5, 55.5]]))[0]
    y, x = np.mgrid[:800, :800]
    # Spans most of the grey levels over the crop, so that a shift by a block shows.
    slope = 0.7 / factor
    reached = moved(matrix, crop_pixels(112, 96))
    middle = reached.mean(0)

    def plane(x, y):
        return np.clip(128 + slope * (x - middle[0]) + 0.6 * slope * (y - middle[1]), 0, 255)

    got = warp(rgb(plane(x, y)), matrix, 112, 96)[:, :, 1].ravel()
    expected = plane(*reached.T)
    inside = ((reached > 3 * factor) & (reached < 799 - 3 * factor)).all(1) & (expected > 8) & (expected < 247)
    assert inside.mean() > 0.5
    error = got[inside] - expected[inside]
    assert np.abs(error).max() <= 1
    assert abs(error.mean()) < 0.35  # both steps round halves up


@pytest.mark.parametrize("factor", FACTORS)
def test_waves_stay_in_place(factor):
    """A wave 24 crop pixels long, steep enough to show a shift of a tenth of a pixel."""
    matrix = similarity(factor, 0.4, 330, 140)
    k = 2 * np.pi / (24 * factor)
    y, x = np.mgrid[:900, :1000]
    got = warp(rgb(128 + 100 * np.sin(k * x + 1) * np.cos(k * y)), matrix, 112, 96)[:, :, 0].ravel()
    x, y = moved(matrix, crop_pixels(112, 96)).T
    inside = (x > 3 * factor) & (x < 999 - 3 * factor) & (y > 3 * factor) & (y < 899 - 3 * factor)
    expected = 128 + 100 * np.sin(k * x + 1) * np.cos(k * y)
    assert inside.mean() > 0.5
    assert np.abs(got - expected)[inside].max() < 4.5


@pytest.mark.parametrize("factor", [2.0, 3.0, 3.7, 5.0, 8.0])
@pytest.mark.parametrize("angle", [0.0, 0.3])
def test_fine_checkerboard_comes_out_grey(factor, angle):
    y, x = np.mgrid[:1000, :1000]
    board = rgb((x + y) % 2 * 255.0)
    matrix = similarity(factor, angle)
    matrix[:, 2] = 500 - moved(matrix, np.array([[23.5, 23.5]]))[0]
    crop = warp(board, matrix, 48, 48).astype(int)
    assert np.abs(crop - 127.5).max() <= 30
    assert abs(crop.mean() - 127.5) < 2


@pytest.mark.parametrize("factor", [2.5, 4.0, 6.0])
def test_zone_plate_does_not_alias(factor):
    """Rings finer than the crop can show must fade, not turn into coarse ones."""
    size = 900
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    radius = np.hypot(x, y)
    # Frequency grows with the radius and is 1 cycle per crop pixel at the edge.
    plate = rgb(127.5 + 127 * np.cos(np.pi / factor / (size / 2) * radius**2))
    side = int(size / factor)
    shift = (size - 1) / 2 - factor * (side - 1) / 2
    crop = warp(plate, similarity(factor, 0, shift, shift), side, side)[:, :, 0].astype(float)
    v, u = np.mgrid[:side, :side] - (side - 1) / 2
    frequency = np.hypot(u, v) * factor / (size / 2)
    too_fine = (frequency > 0.85) & (frequency < 1)
    visible = frequency < 0.2
    assert crop[visible].std() > 70
    assert crop[too_fine].std() < 25  # plain bilinear reading gives about 90
    assert abs(crop[too_fine].mean() - 127.5) < 4


@pytest.mark.parametrize("factor", [1.0, 1.7, 2.0, 3.6])
def test_black_outside(factor):
    white = np.full((100, 120, 3), 255, np.uint8)
    matrix = similarity(factor, 0.5, -40, -60)
    crop = warp(white, matrix, 112, 96)
    reached = moved(matrix, crop_pixels(112, 96))
    beyond = np.maximum(-reached, reached - (119, 99)).max(1).reshape(112, 96)
    assert (crop[beyond > factor + 1] == 0).all()
    assert (crop[beyond < -factor - 1] == 255).all()
    assert (beyond > factor + 1).any() and (beyond < -factor - 1).any()


@pytest.mark.parametrize(
    "matrix",
    [
        similarity(1, 0, 1e9, 1e12),
        similarity(2000, 1),
        similarity(3, 0, -1e7, 5),
        similarity(1e7, 0),
        similarity(4, 1, 0, 1e6),
    ],
)
def test_far_outside_costs_no_memory(matrix):
    crop = warp(np.full((20, 30, 3), 255, np.uint8), matrix, 112, 96)
    assert crop.shape == (112, 96, 3) and crop.dtype == np.uint8
    assert (crop > 0).mean() < 0.01


@pytest.mark.parametrize("factor", [1.0, 2.0])
def test_image_wider_than_opencv_4_warps(factor):
    image = np.zeros((120, 40_000, 3), np.uint8)
    image[:, ::2] = np.arange(20_000)[None, :, None] % 199
    image[:, 1::2] = image[:, ::2]
    crop = warp(image, similarity(factor, 0, 36_000, 3), 50, 60)
    assert (crop == image[3, 36_000 : 36_000 + int(60 * factor) : int(factor)][None]).all()
