"""The detector as a whole: against facenet-pytorch's MTCNN, in any company, at any size."""

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from facepipe.detection import DetectorSettings, preset
from facepipe.detection.cascade import MTCNN, Candidates
from facepipe.detection.stages import Passes
from facepipe.errors import FacepipeError
from facepipe.images import list_images, read_rgb

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))
import detector_parity as parity


@pytest.fixture(scope="module")
def detector():
    return MTCNN(device="cpu")


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
    images = [parity.with_border(resized(astronaut, *size), 0.25) for size in sizes]
    found, theirs = MTCNN(settings, "cpu")(images), parity.peer_faces(parity.peer(settings), images)
    for image, *both in zip(images, found, theirs, strict=True):
        counted.add(str(image.shape), *both, image.shape[:2])
    assert counted.faces >= len(images) and counted.found == counted.faces and counted.extra == 0, counted
    assert counted.worst_box < 1e-3 and counted.worst_landmark < 1e-3


def tight(image, found, margin=0.0):
    """The image cut to a face's box with a margin in shares of its sides, and the (x, y) of its first pixel."""
    left, top, right, bottom = found.boxes[0]
    extra = margin * np.array([right - left, bottom - top])
    x, y = np.maximum(np.floor([left, top] - extra).astype(int), 0)
    x_end, y_end = np.ceil([right, bottom] + extra).astype(int)
    return np.ascontiguousarray(image[y:y_end, x:x_end]), np.array([x, y])


def test_the_published_networks_judge_candidates_across_the_edge(astronaut, detector):
    """Against facenet-pytorch's networks on the bordered image, where nothing needs to be clipped."""
    import torch

    from facepipe.detection.resample import build_tables

    image, border = resized(astronaut, 90), 90
    low = np.random.default_rng(0).uniform(-40, 60, (40, 2))
    boxes = torch.tensor(np.concatenate([low, low + np.linspace(20, 95, 40)[:, None]], 1), dtype=torch.float32)
    kept, peer = torch.zeros(len(boxes), dtype=torch.int64), parity.peer(DetectorSettings())
    tables = build_tables([image], detector._arrays)
    wide = torch.tensor(parity.with_border(image, 1.0)).permute(2, 0, 1)[None].float()
    for ours, theirs, side in ((detector._stages.rnet, peer.rnet, 24), (detector._stages.onet, peer.onet, 48)):
        candidates = Candidates(kept, boxes, kept[:, None].expand(-1, 3))
        judged, (probability, *_, last) = detector._classify(ours, side, 16, tables, candidates)
        assert len(judged.boxes) > 20
        for box, face, numbers in zip(judged.boxes.trunc().int() + border, probability, last, strict=True):
            left, top, right, bottom = box.tolist()
            crop = wide[..., top - 1 : bottom, left - 1 : right]
            cut = torch.nn.functional.interpolate(crop, (side, side), mode="area")
            expected = [part[0].detach() for part in theirs((cut - 127.5) * 0.0078125)]
            assert face == pytest.approx(float(expected[-1][1]), abs=1e-4)
            np.testing.assert_allclose(numbers, expected[-2 if side == 24 else 1], atol=1e-4)


def test_tight_photos_with_a_wide_border_are_what_facenet_pytorch_finds(astronaut, detector):
    whole = resized(astronaut, 256)
    found = detector([whole])[0]
    images = [parity.with_border(tight(whole, found, margin)[0], 0.75) for margin in (0.0, 0.1)]
    peers = parity.peer_faces(parity.peer(DetectorSettings()), images)
    for image, ours, theirs in zip(images, detector(images), peers, strict=True):
        assert len(theirs) == 1, image.shape
        assert_same(ours, theirs, 1e-3)


@pytest.mark.parametrize("margin", [0.0, 0.1])
def test_landmarks_of_a_photo_cut_to_its_face_stay_in_place(astronaut, detector, margin):
    found = detector([astronaut])[0]
    image, first = tight(astronaut, found, margin)
    again = detector([image])[0]
    assert len(again) == 1
    eyes = np.linalg.norm(found.landmarks[0, 0] - found.landmarks[0, 1])
    error = np.linalg.norm(again.landmarks[0] + first - found.landmarks[0], axis=1).mean()
    assert error / eyes < 0.06


def test_other_settings_reach_the_search(astronaut):
    settings = DetectorSettings(min_face=31, factor=0.6, thresholds=(0.5, 0.5, 0.5))
    image = resized(astronaut, 400)
    ours, theirs = MTCNN(settings, "cpu")([image])[0], parity.peer_faces(parity.peer(settings), [image])[0]
    assert_same(ours, theirs.take(np.argsort(-theirs.scores, kind="stable")), 1e-3)
    assert len(MTCNN(preset("fast", min_face=300), "cpu")([image])[0]) == 0


@pytest.mark.slow
def test_finds_what_facenet_pytorch_finds_in_photos(shared):
    lfw = list(list_images(shared / "data" / "lfw"))[::38][:200]
    counted = parity.measure([*lfw, *list_images(shared / "data" / "bbt" / "photos")], preset("sphereface"))
    assert counted.images >= 205 and counted.faces > 100
    assert counted.share >= 0.995, counted
    assert counted.extra == 0, counted
    fast = parity.measure([*lfw[::5], *list_images(shared / "data" / "bbt" / "photos")], preset("fast"))
    assert fast.faces > 30 and fast.share >= 0.995, fast


def test_equal_probabilities_keep_the_candidate_that_the_published_code_keeps(astronaut, monkeypatch):
    """O-Net's probabilities saturate at 1; nms.m sorts candidates with a stable sort and keeps the last."""
    import torch

    from facepipe.detection.resample import build_tables

    detector = MTCNN(device="cpu")
    judged = lambda x: (x.new_ones(len(x)), x.new_zeros(len(x), 4), x.new_zeros(len(x), 10))  # noqa: E731
    monkeypatch.setattr(detector._stages, "onet", judged)
    tables = build_tables([astronaut], detector._arrays)
    boxes = torch.tensor([[90.0, 90, 150, 150], [100, 100, 160, 160], [300, 300, 400, 400], [95, 95, 155, 155]])
    image, origin = torch.zeros(4, dtype=torch.int64), torch.zeros(4, 3, dtype=torch.int64)
    _, kept, _, _ = detector._output(tables, Candidates(image, boxes, origin))
    assert kept.tolist() == [boxes[3].tolist(), boxes[2].tolist()]


def test_the_parity_measure_sees_a_difference(astronaut, detector):
    found = detector([astronaut])[0]
    moved = type(found)(found.boxes + 3, found.scores, found.landmarks)
    turned = type(found)(found.boxes, found.scores, found.landmarks + np.array([1.1, 0]))
    for other in (moved, turned, found.take([])):
        counted = parity.Parity()
        counted.add("astronaut", other, found, (512, 512))
        assert counted.found == 0 and len(counted.missed) == len(found)
    counted = parity.Parity()
    counted.add("astronaut", found, found.take([]), (512, 512))
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
    passes = Passes(pyramid=50_000, rnet=64, onet=16)
    monkeypatch.setattr(f"{type(detector._stages).__module__}.{type(detector._stages).__name__}.passes", passes)
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


@pytest.mark.slow
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
    whole = MTCNN(device="cpu")([astronaut])[0]
    limited = MTCNN(DetectorSettings(max_pixels=512 * 512), "cpu")
    found, beside = limited([enlarged, astronaut])
    assert len(found) == len(whole) == 1
    np.testing.assert_allclose(found.boxes, 2 * whole.boxes, atol=8)
    np.testing.assert_allclose(found.landmarks, 2 * whole.landmarks, atol=8)
    assert_same(beside, whole, 1e-3)
    # Exactly what the reduced picture gives, times the ratio.
    small = cv2.resize(enlarged, (512, 512), interpolation=cv2.INTER_AREA)
    assert_same(found, limited([small])[0].moved((2, 2), (0.5, 0.5)), 1e-3)


@pytest.mark.slow
def test_sizes_that_become_one_when_reduced_are_searched_as_one_by_one(astronaut):
    """The first and the last become 1225×816, and the one between them does not."""
    limited = MTCNN(preset("fast", max_pixels=1_000_000), "cpu")
    three = [cv2.resize(astronaut, (width, height)) for height, width in ((1000, 1500), (1125, 1500), (1250, 1875))]
    alone = [limited([image])[0] for image in three]
    assert min(len(found) for found in alone) > 0
    for images, expected in ((three, alone), (three[::-1] + three, alone[::-1] + alone)):
        for found, same in zip(limited(images), expected, strict=True):
            assert_same(found, same, 1e-3)


def test_a_reduced_strip_keeps_at_least_one_row():
    strip = np.zeros((1, 3000, 3), np.uint8)
    assert len(MTCNN(DetectorSettings(max_pixels=100), "cpu")([strip])[0]) == 0


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
