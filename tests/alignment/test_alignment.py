"""Templates, similarity fit and crops against least squares longhand and closed-form pictures."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from similarities import crop_pixels, moved, rgb, similarity

from facepipe.alignment import TEMPLATES, Aligner, fit_similarity, template
from facepipe.errors import FacepipeError


def test_templates():
    """SphereFace's published points are MATLAB pixels, counted from 1; insightface's are the same 8 columns on."""
    matlab = [(30.2946, 51.6963), (65.5318, 51.5014), (48.0252, 71.7366), (33.5493, 92.3655), (62.7299, 92.2041)]
    sphereface, insightface = template("112x96"), template("112x112")
    np.testing.assert_allclose(sphereface.points, np.array(matlab) - 1, atol=1e-12)
    np.testing.assert_allclose(insightface.points, np.array(matlab) + np.array([8, 0]), atol=1e-12)
    assert (sphereface.landmark_shift, insightface.landmark_shift) == (0, 1)
    assert (sphereface.height, sphereface.width) == (112, 96)
    assert (insightface.height, insightface.width) == (112, 112)
    assert set(TEMPLATES) == {"112x96", "112x112"}
    assert Aligner("112x96").size == (112, 96) and Aligner().size == (112, 112)


def test_unknown_template():
    with pytest.raises(FacepipeError, match="'96x96' is unknown; choose one of 112x96, 112x112"):
        Aligner("96x96")


def least_squares(points, landmarks):
    """x' = ax − by + c, y' = bx + ay + d, residual in image pixels: four unknowns, no reflection possible."""
    rows, values = [], []
    for (x, y), (u, v) in zip(points, landmarks, strict=True):
        rows += [[x, -y, 1, 0], [y, x, 0, 1]]
        values += [u, v]
    (a, b, c, d), *_ = np.linalg.lstsq(np.array(rows), np.array(values), rcond=None)
    return np.array([[a, -b, c], [b, a, d]])


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), noise=st.sampled_from([0.0, 0.5, 10.0]), mirrored=st.booleans())
def test_fit_is_least_squares_in_image_pixels(seed, noise, mirrored):
    rng = np.random.default_rng(seed)
    points = TEMPLATES["112x96"].points
    true = similarity(rng.uniform(0.3, 8), rng.uniform(-np.pi, np.pi), *rng.uniform(-50, 2000, 2))
    landmarks = moved(true, points * (-1, 1) if mirrored else points) + noise * rng.normal(size=(5, 2))
    got = fit_similarity(points, landmarks)
    expected = least_squares(points, landmarks)
    np.testing.assert_allclose(got, expected, atol=1e-6)
    assert got[0, 0] == pytest.approx(got[1, 1]) and got[0, 1] == pytest.approx(-got[1, 0])
    assert np.linalg.det(got[:, :2]) > 0
    if not noise and not mirrored:
        np.testing.assert_allclose(got, true, atol=1e-8)


def test_fit_differs_from_the_inverse_of_the_opposite_fit():
    """The two least squares agree only on exact landmarks; the residual is to be measured in the image."""
    points = TEMPLATES["112x96"].points
    landmarks = moved(similarity(2, 0.1, 30, 40), points) + np.random.default_rng(0).normal(size=(5, 2)) * 4
    opposite = np.linalg.inv(np.vstack([least_squares(landmarks, points), [0, 0, 1]]))[:2]
    got = fit_similarity(points, landmarks)
    assert np.abs(got - opposite).max() > 0.1

    def residual(matrix):
        return ((moved(matrix, points) - landmarks) ** 2).sum()

    assert residual(got) < residual(opposite)


@pytest.mark.parametrize(
    "landmarks",
    [
        np.full((5, 2), 7.0),
        np.zeros((5, 2), np.float32),
        9 + 1e-9 * TEMPLATES["112x96"].points,
        np.full((5, 2), np.nan),
        np.where(np.arange(10).reshape(5, 2) == 3, np.inf, TEMPLATES["112x96"].points),
        np.zeros((4, 2)),
        np.zeros((0, 2)),
        np.zeros((5, 3)),
    ],
)
def test_degenerate_landmarks(landmarks):
    with pytest.raises(FacepipeError, match=r"^landmarks ") as caught:
        Aligner("112x96")(np.zeros((50, 50, 3), np.uint8), landmarks)
    assert "\n" not in str(caught.value)


@settings(max_examples=20, deadline=None)
@given(
    name=st.sampled_from(list(TEMPLATES)),
    scale=st.floats(0.6, 2.8),
    angle=st.floats(-np.pi, np.pi),
    shift=st.tuples(st.floats(-20, 20), st.floats(-20, 20)),
)
def test_crop_undoes_any_similarity(name, scale, angle, shift):
    """A picture drawn in crop coordinates, moved by a similarity, comes back as it was drawn."""
    aligner = Aligner(name)
    height, width = aligner.size
    side = 320
    matrix = similarity(scale, angle)
    matrix[:, 2] = side / 2 + np.array(shift) - moved(matrix, np.array([[width / 2, height / 2]]))[0]

    def drawn(points):
        x, y = points.T
        return 128 + 60 * np.sin(x / 9) + 50 * np.cos(y / 11)

    inverse = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))[:2]
    image = rgb(drawn(moved(inverse, crop_pixels(side, side))).reshape(side, side))
    crop = aligner(image, (moved(matrix, aligner.template.points) - aligner.template.landmark_shift).astype(np.float32))
    assert crop.shape == (height, width, 3) and crop.dtype == np.uint8
    pixels = crop_pixels(height, width)
    reached = moved(matrix, pixels)
    inside = ((reached > 2 * scale + 1) & (reached < side - 2 * scale - 2)).all(1)
    assert inside.mean() > 0.3
    assert np.abs(crop[:, :, 2].ravel() - drawn(pixels))[inside].max() <= 2.5


def test_accept_takes_crops_as_they_are():
    crop = np.random.default_rng(0).integers(0, 256, (112, 112, 3), np.uint8)
    assert (Aligner("112x112").accept(crop) == crop).all()
    assert (Aligner("112x96").accept(crop) == crop[:, 8:104]).all()
    assert (Aligner("112x96").accept(crop[:, :96]) == crop[:, :96]).all()


def test_the_middle_of_the_large_crop_is_the_small_one_at_scale_one(astronaut):
    landmarks = TEMPLATES["112x96"].points + (180, 60)
    large, small = (Aligner(name)(astronaut, landmarks).astype(int) for name in ("112x112", "112x96"))
    assert np.abs(large[:, 8:104] - small).max() <= 1


def test_accept_scales_other_sizes():
    big = np.random.default_rng(0).integers(0, 256, (224, 192, 3), np.uint8)
    blocks = big.reshape(112, 2, 96, 2, 3).mean((1, 3))
    assert np.abs(Aligner("112x96").accept(big) - blocks).max() <= 0.5
    wide = np.zeros((224, 400, 3), np.uint8)
    wide[:, 104:296] = 200  # the middle 192 columns fill the crop, undistorted
    assert (Aligner("112x96").accept(wide) == 200).all()
    assert Aligner("112x96").accept(wide[:, :150]).shape == (112, 96, 3)


@pytest.mark.parametrize("name", list(TEMPLATES))
@pytest.mark.parametrize("shape", [(250, 250), (600, 400), (90, 300)])
def test_centre_is_the_middle_60_percent(name, shape):
    aligner = Aligner(name)
    height, width = aligner.size
    scale = 0.6 * min(shape[0] / height, shape[1] / width)
    y, x = np.mgrid[: shape[0], : shape[1]]
    horizontal, vertical = (rgb(200 * axis / max(shape)) for axis in (x, y))
    steps = crop_pixels(height, width) - ((width - 1) / 2, (height - 1) / 2)
    expected = ((np.array(shape[::-1]) - 1) / 2 + scale * steps) * 200 / max(shape)
    # Whole pixels of the image are cut out, which may move the crop by one of them.
    tolerance = 200 / max(shape) * 1.1 + 0.8
    assert np.abs(aligner.centre(horizontal)[:, :, 0].ravel() - expected[:, 0]).max() < tolerance
    assert np.abs(aligner.centre(vertical)[:, :, 0].ravel() - expected[:, 1]).max() < tolerance


@settings(max_examples=40, deadline=None)
@given(name=st.sampled_from(list(TEMPLATES)), height=st.integers(1, 130), width=st.integers(1, 130))
def test_any_small_image_gives_a_crop(name, height, width):
    aligner = Aligner(name)
    image = np.full((height, width, 3), 90, np.uint8)
    for crop in (aligner.centre(image), aligner.accept(image)):
        assert crop.shape == (*aligner.size, 3) and (crop == 90).all()


@given(st.integers(0, 10_000))
def test_fit_as_scikit_image(seed):
    from skimage.transform import SimilarityTransform

    generator = np.random.default_rng(seed)
    crop = generator.uniform(0, 112, (5, 2))
    image = crop @ generator.normal(0, 2, (2, 2)) + generator.uniform(-500, 500, 2) + generator.normal(0, 3, (5, 2))
    expected = SimilarityTransform.from_estimate(crop, image).params[:2]
    # Where a mirror image would fit best, the best map that is none is ill determined.
    if np.hypot(*expected[:, 0]) > 0.1:
        assert fit_similarity(crop, image) == pytest.approx(expected, rel=1e-7, abs=1e-6)
