"""The cascade, ordinary and as published, against a longhand port of the MATLAB code, faces at the edge too."""

import cv2
import mtcnn_longhand as longhand
import numpy as np
import pytest

from facepipe.detection import DetectorSettings, create_detector, preset
from facepipe.images import read_rgb

RULES = {
    "sphereface": longhand.PYTORCH,
    "sphereface-matlab": longhand.MATLAB,
    "insightface": longhand.Rules(mirror=False),
}
FRAMES = {
    "whole": np.s_[:, :],
    "tight": np.s_[10:70, 55:115],
    "cut into": np.s_[20:62, 62:104],
    "left half": np.s_[10:70, 80:140],
    "from the mouth up": np.s_[5:55, 55:115],
}


@pytest.fixture(scope="module")
def photo(astronaut):
    return cv2.resize(astronaut, (200, 200), interpolation=cv2.INTER_AREA)


def assert_agree(image, name, tolerance):
    """The port counts pixels from 1, facepipe from 0."""
    found = create_detector(preset(name, border=False), "cpu")([image])[0]
    expected = longhand.detect(image, rules=RULES[name])
    np.testing.assert_allclose(found.boxes, expected.boxes - 1, atol=tolerance)
    np.testing.assert_allclose(found.landmarks, expected.landmarks - 1, atol=tolerance)
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-5)
    return len(found)


@pytest.mark.parametrize("name", list(RULES))
@pytest.mark.parametrize("frame", list(FRAMES))
def test_faces_in_and_across_the_edge(photo, name, frame, one_thread):
    faces = assert_agree(np.ascontiguousarray(photo[FRAMES[frame]]), name, 1e-3)
    assert faces == 1 or frame == "left half"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sphereface", "sphereface-matlab"])
def test_lfw_photos(shared, name, one_thread):
    """Ten whole, and two of them cut into the face; benchmarks/detector_matlab.py takes 200."""
    paths = sorted((shared / "data" / "lfw").glob("[A-C]*/*_0001.jpg"))[::37][:10]
    faces = 0
    for path in paths:
        image = read_rgb(path)
        faces += assert_agree(image, name, 1e-3)
    for path in paths[:2]:
        assert_agree(np.ascontiguousarray(read_rgb(path)[90:165, 85:160]), name, 1e-3)
    assert faces >= 10


def test_the_published_arithmetic_is_near_the_ordinary_one_and_not_equal(photo):
    ordinary, matlab, tensorflow = (create_detector(preset(name), "cpu")([photo])[0] for name in RULES)
    assert 0.05 < np.abs(ordinary.landmarks - matlab.landmarks).max() < 3
    assert (tensorflow.boxes == matlab.boxes).all() and not (tensorflow.landmarks == matlab.landmarks).all()


def test_landmarks_of_the_mirror_image_are_mirrored(photo):
    """A look at both is nearly symmetric in itself; the remaining difference is the boxes'."""
    detector = create_detector(preset("sphereface-matlab"), "cpu")
    one, other = detector([photo, np.ascontiguousarray(photo[:, ::-1])])
    mirrored = other.landmarks[0, [1, 0, 2, 4, 3]] * (-1, 1) + (photo.shape[1] - 1, 0)
    assert np.abs(one.landmarks[0] - mirrored).max() < 2


def test_large_images_are_searched_reduced(astronaut):
    whole = create_detector(preset("sphereface-matlab", min_face=60), "cpu")([astronaut])[0]
    settings = preset("sphereface-matlab", min_face=30, max_pixels=256 * 256)
    reduced = create_detector(settings, "cpu")([astronaut])[0]
    assert len(whole) == len(reduced) == 1
    assert np.abs(whole.landmarks - reduced.landmarks).max() < 6


def test_images_without_faces_and_of_any_size():
    detector = create_detector(preset("sphereface-matlab"), "cpu")
    noise = np.random.default_rng(0).integers(0, 256, (60, 45, 3), np.uint8)
    for image in (np.zeros((50, 60, 3), np.uint8), noise, np.zeros((5, 300, 3), np.uint8)):
        found = detector([image])[0]
        assert (found.boxes.shape, found.landmarks.shape) == ((len(found), 4), (len(found), 5, 2))


def test_presets():
    numbers = {"min_face": 20, "factor": 0.85, "thresholds": (0.6, 0.7, 0.9)}
    assert preset("sphereface-matlab") == DetectorSettings("mtcnn-matlab", border=False, **numbers)
    assert preset("insightface") == DetectorSettings("mtcnn-tensorflow", border=False, **numbers)
    assert preset("mtcnn-demo") == DetectorSettings("mtcnn", 20, 0.709, (0.6, 0.7, 0.7))
