"""Templates, similarity fit and crops against least squares longhand and closed-form pictures."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from similarities import crop_pixels, moved, rgb, similarity

from facepipe.alignment import TEMPLATES, Aligner, cp2tform, template, umeyama
from facepipe.errors import FacepipeError


def test_templates():
    """SphereFace's published points are MATLAB pixels, counted from 1; insightface's the same 8 columns on, from 0."""
    matlab = [(30.2946, 51.6963), (65.5318, 51.5014), (48.0252, 71.7366), (33.5493, 92.3655), (62.7299, 92.2041)]
    sphereface, insightface, old = template("112x96"), template("112x112"), template("112x112-cp2tform")
    np.testing.assert_allclose(sphereface.points, np.array(matlab) - 1, atol=1e-12)
    np.testing.assert_allclose(insightface.points, np.array(matlab) + np.array([8, 0]), atol=1e-12)
    assert (old.points == insightface.points).all()
    assert [(t.fit, t.landmark_shift) for t in (sphereface, insightface, old)] == [
        ("cp2tform", 0),
        ("umeyama", 0),
        ("cp2tform", 1),
    ]
    assert [t.identity for t in TEMPLATES.values()] == ["112x96-cp2tform", "112x112-umeyama", "112x112-cp2tform"]
    assert (sphereface.height, sphereface.width) == (112, 96)
    assert (insightface.height, insightface.width) == (112, 112)
    assert set(TEMPLATES) == {"112x96", "112x112", "112x112-cp2tform"}
    assert Aligner("112x96").size == (112, 96) and Aligner().size == (112, 112)
    own = replace(sphereface, fit="umeyama")
    assert Aligner(own).template is own


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


def inverse(matrix):
    return np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))[:2]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), noise=st.sampled_from([0.0, 0.5, 10.0]), mirrored=st.booleans())
def test_fits_are_least_squares_in_the_pixels_of_image_and_crop(seed, noise, mirrored):
    rng = np.random.default_rng(seed)
    points = TEMPLATES["112x96"].points
    true = similarity(rng.uniform(0.3, 8), rng.uniform(-np.pi, np.pi), *rng.uniform(-50, 2000, 2))
    landmarks = moved(true, points * (-1, 1) if mirrored else points) + noise * rng.normal(size=(5, 2))
    in_image, in_crop = cp2tform(points, landmarks), umeyama(points, landmarks)
    np.testing.assert_allclose(in_image, least_squares(points, landmarks), atol=1e-6)
    np.testing.assert_allclose(in_crop, inverse(least_squares(landmarks, points)), rtol=1e-6, atol=1e-5)
    for got in (in_image, in_crop):
        assert got[0, 0] == pytest.approx(got[1, 1]) and got[0, 1] == pytest.approx(-got[1, 0])
        assert np.linalg.det(got[:, :2]) > 0
        if not noise and not mirrored:
            np.testing.assert_allclose(got, true, atol=1e-8)


def test_the_two_fits_of_a_turned_face_differ_in_scale_alone():
    """By the square of the correlation of the two shapes, here written out with real numbers."""
    points = TEMPLATES["112x112"].points
    turned = (points - points.mean(0)) * (0.5, 1) + [[0, 0], [0, 0], [12, 0], [0, 0], [0, 0]]
    landmarks = moved(similarity(2, 0.1, 30, 40), turned)
    in_image, in_crop = cp2tform(points, landmarks), umeyama(points, landmarks)
    a, b = points - points.mean(0), landmarks - landmarks.mean(0)
    along, across = (a * b).sum(), (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()
    squared = (along**2 + across**2) / ((a**2).sum() * (b**2).sum())
    assert squared < 0.9
    np.testing.assert_allclose(in_crop[:, :2] * squared, in_image[:, :2], rtol=1e-9)
    mean = points.mean(0, keepdims=True)
    np.testing.assert_allclose(moved(in_image, mean), moved(in_crop, mean), atol=1e-9)

    def residual(matrix):
        return ((moved(matrix, points) - landmarks) ** 2).sum()

    def crop_residual(matrix):
        return ((moved(inverse(matrix), landmarks) - points) ** 2).sum()

    assert residual(in_image) < residual(in_crop) and crop_residual(in_crop) < crop_residual(in_image)


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
@pytest.mark.parametrize("name", list(TEMPLATES))
def test_degenerate_landmarks(name, landmarks):
    with pytest.raises(FacepipeError, match=r"^landmarks ") as caught:
        Aligner(name)(np.zeros((50, 50, 3), np.uint8), landmarks)
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
    """To the pixel for the old cut; insightface's lies one pixel to the right and below."""
    landmarks = TEMPLATES["112x96"].points + (180, 60)
    names = ("112x112-cp2tform", "112x112", "112x96")
    old, large, small = (Aligner(name)(astronaut, landmarks).astype(int) for name in names)
    assert np.abs(old[:, 8:104] - small).max() <= 1
    assert np.abs(large[1:, 9:105] - small[:-1]).max() <= 1


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
def test_fits_as_scikit_image(seed):
    from skimage.transform import SimilarityTransform

    generator = np.random.default_rng(seed)
    crop = generator.uniform(0, 112, (5, 2))
    image = crop @ generator.normal(0, 2, (2, 2)) + generator.uniform(-500, 500, 2) + generator.normal(0, 3, (5, 2))
    to_image = SimilarityTransform.from_estimate(crop, image)
    to_crop = SimilarityTransform.from_estimate(image, crop)
    # Where a mirror image would fit best, the best map that is none is ill determined.
    if to_image and to_image.scale > 0.1:
        assert cp2tform(crop, image) == pytest.approx(to_image.params[:2], rel=1e-7, abs=1e-6)
    if to_crop and to_crop.scale > 0.01:
        assert umeyama(crop, image) == pytest.approx(np.linalg.inv(to_crop.params)[:2], rel=1e-6, abs=1e-5)


def test_112x112_is_cut_as_insightface_cuts_it(astronaut):
    """Its recipe longhand: scikit-image's fit from landmarks to the published points, warped by OpenCV as it is."""
    import cv2
    from skimage.transform import SimilarityTransform

    published = [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)]
    turned = np.array([[200.0, 95], [235, 97], [222, 130], [200, 150], [226, 152]])
    matrix = SimilarityTransform.from_estimate(turned, np.array(published)).params[:2]
    expected = cv2.warpAffine(astronaut, matrix, (112, 112), borderValue=0.0)
    got = Aligner("112x112")(astronaut, turned)
    # OpenCV inverts a forward matrix itself and rounds to 1/32 pixel: bilinear weights may differ by that.
    difference = np.abs(got.astype(int) - expected)
    assert difference.max() <= 12 and difference.mean() < 0.2
    assert np.abs(Aligner("112x112-cp2tform")(astronaut, turned).astype(int) - expected).mean() > 2
