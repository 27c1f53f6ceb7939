"""The same face, whatever the frame: what detection finds must not depend on how the photo is cut."""

import numpy as np
import pytest
from face_pack import PACKAGED, cut_to_box, error, lfw, resized, turned

from facepipe.detection import DetectorSettings, create_detector

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=PACKAGED)
def photo(request):
    return PACKAGED[request.param]()


@pytest.fixture(scope="module")
def detector():
    return create_detector()


def framed_errors(photos, detector, margin):
    tight = [cut_to_box(photo, margin) for photo in photos]
    found = detector([photo.pixels for photo in tight])
    return np.array([error(photo, faces) for photo, faces in zip(tight, found, strict=True)])


def test_the_pack_carries_its_landmarks_along(photo):
    """Turning four times by a quarter and scaling there and back gives the same points."""
    back = turned(turned(photo, 1), 3)
    np.testing.assert_array_equal(back.pixels, photo.pixels)
    np.testing.assert_allclose(back.landmarks, photo.landmarks)
    np.testing.assert_allclose(back.box, photo.box)
    np.testing.assert_allclose(resized(resized(photo, 500), photo.side).landmarks, photo.landmarks, atol=0.3)
    for quarters in (1, 2, 3):
        x, y = np.round(photo.landmarks[2]).astype(int)
        moved = turned(photo, quarters)
        there = np.round(moved.landmarks[2]).astype(int)
        if np.all(photo.landmarks[2] % 1 != 0.5):
            np.testing.assert_array_equal(moved.pixels[there[1], there[0]], photo.pixels[y, x])


def test_whole(photo, detector):
    assert error(photo, detector([photo.pixels])[0]) < 0.02


@pytest.mark.parametrize("margin", [0.5, 0.2, 0.1, 0.0, -0.05, -0.1])
def test_cut_to_the_box_and_into_it(photo, detector, margin):
    tight = cut_to_box(photo, margin)
    assert error(tight, detector([tight.pixels])[0]) < (0.08 if margin < 0 else 0.06)


def test_lfw_cut_to_the_box(shared, detector):
    errors = framed_errors(lfw(shared, 24), detector, 0.0)
    assert np.isfinite(errors).all()
    assert np.median(errors) < 0.04 and errors.max() < 0.15


@pytest.mark.parametrize("side", [24, 32, 48, 96, 400, 1000, 2000])
def test_small_and_huge(photo, side):
    """From faces that MTCNN just resolves to those of a forty-megapixel portrait."""
    known = resized(cut_to_box(photo, 0.6) if side > 100 else photo, side)
    found = create_detector(DetectorSettings(min_face=max(12, side / 5)))([known.pixels])[0]
    assert error(known, found) < (0.1 if side < 48 else 0.05)
