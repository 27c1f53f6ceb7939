"""The detector as a whole: against facenet-pytorch's MTCNN, in any company, at any size."""

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from facepipe.detection import Detector, Settings, preset
from facepipe.errors import FacepipeError
from facepipe.images import list_images, read_rgb

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))
import detector_parity as parity


@pytest.fixture(scope="module")
def detector():
    return Detector(device="cpu")


def resized(image, width, height=None):
    size = width, height or width * image.shape[0] // image.shape[1]
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def assert_same(a, b, atol):
    assert len(a) == len(b)
    np.testing.assert_allclose(a.boxes, b.boxes, atol=atol)
    np.testing.assert_allclose(a.landmarks, b.landmarks, atol=atol)
    np.testing.assert_allclose(a.scores, b.scores, atol=1e-5)


@pytest.mark.parametrize("name, largest", [("sphereface", 256), ("fast", 512)])
def test_finds_what_facenet_pytorch_finds_in_the_astronaut(astronaut, name, largest):
    counted = parity.Parity()
    settings = preset(name)
    sizes = (largest, largest), (203, 301), (160, 97), (64, 64)
    images = [resized(astronaut, *size) for size in sizes]
    found, theirs = Detector(settings, "cpu")(images), parity.peer_faces(parity.peer(settings), images)
    for size, *both in zip(sizes, found, theirs, strict=True):
        counted.add(str(size), *both)
    assert counted.faces >= len(images) and counted.found == counted.faces and counted.extra == 0, counted
    assert counted.worst_box < 1e-3 and counted.worst_landmark < 1e-3


def test_other_settings_reach_the_search(astronaut):
    settings = Settings(min_face=31, factor=0.6, thresholds=(0.5, 0.5, 0.5))
    image = resized(astronaut, 400)
    ours, theirs = Detector(settings, "cpu")([image])[0], parity.peer_faces(parity.peer(settings), [image])[0]
    assert_same(ours, theirs.take(np.argsort(-theirs.scores, kind="stable")), 1e-3)
    assert len(Detector(preset("fast", min_face=300), "cpu")([image])[0]) == 0


@pytest.mark.slow
def test_finds_what_facenet_pytorch_finds_in_photos(shared):
    lfw = list(list_images(shared / "data" / "lfw"))[::38][:200]
    counted = parity.measure([*lfw, *list_images(shared / "data" / "bbt" / "photos")], preset("sphereface"))
    assert counted.images >= 205 and counted.faces > 230
    assert counted.share >= 0.995, counted
    assert counted.extra == 0, counted
    fast = parity.measure([*lfw[::5], *list_images(shared / "data" / "bbt" / "photos")], preset("fast"))
    assert fast.faces > 50 and fast.share >= 0.995, fast


def test_equal_probabilities_keep_the_candidate_that_the_published_code_keeps(shared):
    """In these crops several of O-Net's candidates have one and the same probability."""
    gallery = shared / "data" / "bbt" / "gallery"
    paths = [gallery / "leonard" / "leonard3.png", gallery / "raj" / "raj4.png", gallery / "stuart" / "stuart3.png"]
    counted = parity.measure(paths, preset("sphereface"))
    assert counted.found == counted.faces == len(paths), counted


def test_the_parity_measure_sees_a_difference(astronaut, detector):
    found = detector([astronaut])[0]
    moved = type(found)(found.boxes + 3, found.scores, found.landmarks)
    turned = type(found)(found.boxes, found.scores, found.landmarks + np.array([1.1, 0]))
    for other in (moved, turned, found.take([])):
        counted = parity.Parity()
        counted.add("astronaut", other, found)
        assert counted.found == 0 and len(counted.missed) == len(found)
    counted = parity.Parity()
    counted.add("astronaut", found, found.take([]))
    assert counted.extra == len(found) and counted.share == 0


def test_company_changes_nothing(astronaut, detector):
    sizes = [(300, 300), (120, 200), (300, 300), (64, 64), (200, 120), (120, 200), (10, 10), (33, 300)]
    images = [np.roll(resized(astronaut, *size), 3 * number, axis=1) for number, size in enumerate(sizes)]
    # More than one group of sixteen, so that several cores take part.
    together = detector(images * 3)
    assert sum(len(found) for found in together) >= 12
    for image, *same in zip(images, together[:8], together[8:16], together[16:], strict=True):
        alone = detector([image])[0]
        for found in same:
            assert_same(found, alone, 1e-3)


def test_many_images_of_one_size_equal_one_by_one(astronaut, detector, monkeypatch):
    # Two images of the largest level go through P-Net at once: the parts must be put together in order.
    monkeypatch.setattr("facepipe.detection.cascade._PYRAMID_PIXELS", 50_000)
    images = [np.roll(resized(astronaut, 250), (5 * number, 9 * number), axis=(0, 1)) for number in range(9)]
    for image, found in zip(images, detector(images), strict=True):
        assert len(found) > 0
        assert_same(found, detector([image])[0], 1e-3)


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 400), (400, 1), (11, 11), (12, 12), (19, 19), (20, 20), (20, 300), (90, 90)]
)
def test_small_or_empty_pictures_have_no_face(detector, shape):
    grey = np.full((*shape, 3), 128, np.uint8)
    noise = np.repeat(np.random.default_rng(0).integers(0, 256, (*shape, 1), dtype=np.uint8), 3, axis=2)
    for found in detector([grey, noise, grey]):
        assert found.boxes.shape == (0, 4) and found.scores.shape == (0,) and found.landmarks.shape == (0, 5, 2)
        assert found.boxes.dtype == found.scores.dtype == found.landmarks.dtype == np.float32


def test_no_images_no_faces(detector):
    assert detector([]) == []


def test_a_faceless_image_beside_a_face(astronaut, detector):
    small = resized(astronaut, 200)
    found = detector([np.zeros((200, 200, 3), np.uint8), small, np.zeros((15, 15, 3), np.uint8)])
    assert [len(faces) for faces in found] == [0, 1, 0]
    assert_same(found[1], detector([small])[0], 1e-3)


def test_best_score_first(shared, detector):
    found = detector([read_rgb(path) for path in list_images(shared / "data" / "bbt" / "photos")])
    assert max(len(faces) for faces in found) > 3
    for faces in found:
        assert (np.diff(faces.scores) <= 0).all()
        assert ((faces.scores > 0.9) & (faces.scores <= 1)).all()


def test_a_view_is_searched_as_it_looks(astronaut, detector):
    mirrored = resized(astronaut, 200)[:, ::-1]
    assert_same(detector([mirrored])[0], detector([np.ascontiguousarray(mirrored)])[0], 1e-6)


def test_larger_images_are_reduced_and_boxes_are_in_original_pixels(astronaut):
    enlarged = resized(astronaut, 1024)
    whole = Detector(device="cpu")([astronaut])[0]
    limited = Detector(device="cpu", max_pixels=512 * 512)
    found, beside = limited([enlarged, astronaut])
    assert len(found) == len(whole) == 1
    np.testing.assert_allclose(found.boxes, 2 * whole.boxes, atol=8)
    np.testing.assert_allclose(found.landmarks, 2 * whole.landmarks, atol=8)
    assert_same(beside, whole, 1e-3)
    # Exactly what the reduced picture gives, times the ratio.
    small = cv2.resize(enlarged, (512, 512), interpolation=cv2.INTER_AREA)
    assert_same(found, limited([small])[0].scaled(2), 1e-3)


def test_a_reduced_strip_keeps_at_least_one_row():
    strip = np.zeros((1, 3000, 3), np.uint8)
    assert len(Detector(device="cpu", max_pixels=100)([strip])[0]) == 0


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros((30, 30), np.uint8),
        np.zeros((30, 30, 4), np.uint8),
        np.zeros((30, 30, 3), np.float32),
        np.zeros((2, 30, 30, 3), np.uint8),
        np.zeros((0, 30, 3), np.uint8),
        np.zeros((30, 0, 3), np.uint8),
    ],
)
def test_what_is_no_rgb_image_is_refused(detector, bad):
    with pytest.raises(FacepipeError, match="must be uint8 H×W×3 RGB"):
        detector([np.zeros((30, 30, 3), np.uint8), bad])
