"""Corners that float32 cannot place on either side of a whole pixel."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from facepipe.detection import DetectorSettings, exact
from facepipe.detection.cascade import MTCNN, Candidates
from facepipe.detection.exact import ExactCandidates, undecided
from facepipe.detection.networks import load_networks
from facepipe.detection.resample import build_tables


def searched(image, engine="onnx"):
    """The detector and its candidates after P-Net and R-Net."""
    detector = MTCNN(DetectorSettings(), "cpu", engine)
    with detector._stages.running():
        tables = build_tables([image], detector._arrays)
        proposed = detector._propose(tables, [image.shape[:2]])
        return detector, proposed, detector._refine(tables, proposed)


@pytest.fixture(scope="module", params=["onnx", "torch"])
def stages(request, astronaut):
    """Of a photo in which faces also cross the edge."""
    image = np.ascontiguousarray(astronaut[40:200, 150:300])
    return image, *searched(image, request.param)


def test_float32_is_near_the_exact_candidates(stages):
    image, detector, *found = stages
    candidates = ExactCandidates([image], detector.settings)
    for name, stage in zip(("proposed", "refined"), found, strict=True):
        boxes, origin = (detector._arrays.host(values) for values in (stage.boxes, stage.origin))
        expected = np.concatenate([getattr(candidates, name)(0, *window) for window in origin.tolist()])
        assert len(boxes) >= 2
        np.testing.assert_array_less(np.abs(boxes - expected) / np.abs(expected).max(1, keepdims=True), exact._ERROR)


def test_networks_against_float64_in_pytorch():
    ours, (pnet, rnet, _) = exact._Networks(), load_networks(torch.device("cpu"))
    rng = np.random.default_rng(0)
    for run, network, side in ((ours.pnet, pnet, 12), (ours.rnet, rnet, 24)):
        x = rng.uniform(-1, 1, (1, 3, side, side))
        expected = network.double()(torch.from_numpy(x))[1].reshape(1, 4)
        np.testing.assert_allclose(run(x), expected.numpy(), rtol=0, atol=1e-12)


def test_candidates_do_not_depend_on_rounding(stages, monkeypatch):
    """With an exaggerated error: the same pixels are cut whatever the error was."""
    image, detector, found, _ = stages
    monkeypatch.setattr(exact, "_ERROR", 2e-3)
    candidates, arrays = ExactCandidates([image], detector.settings), detector._arrays
    boxes, rng = arrays.host(found.boxes), np.random.default_rng(0)
    whole = [np.trunc(boxes)]
    for _ in range(20):
        off = boxes * (1 + rng.uniform(-5e-4, 5e-4, boxes.shape)).astype(np.float32)
        whole.append(np.trunc(off))
        decided = detector._decide(Candidates(found.image, arrays.array(off), found.origin), candidates.proposed)
        np.testing.assert_array_equal(np.trunc(arrays.host(decided.boxes)), whole[0])
    assert any((other != whole[0]).any() for other in whole[1:])


def test_candidates_far_from_whole_pixels_are_left_alone(stages):
    _, detector, found, _ = stages
    boxes = np.floor(detector._arrays.host(found.boxes)) + np.float32(0.5)
    candidates = Candidates(found.image, detector._arrays.array(boxes), found.origin)
    assert detector._decide(candidates, None) is candidates  # type: ignore[arg-type]


@given(st.integers(1, 4000), st.floats(-0.5, 0.5))
def test_undecided(whole, distance):
    box = np.array([[whole + distance, 0.5, whole + 0.5, 0.5]], np.float32)
    off = abs(float(box[0, 0]) - whole)
    assert len(undecided(box)) == (off <= exact._ERROR * max(box.max(), 1))


def test_no_boxes():
    assert len(undecided(np.zeros((0, 4), np.float32))) == 0


def test_a_square_beyond_the_image_is_black():
    """What float32 saw inside may turn out to lie outside."""
    pixels = np.full((20, 20, 3), 255, np.uint8)
    outside, inside = np.array([[-3, -2], [-2, 0]]), np.array([[0, 1], [1, 2]])
    assert (exact._means(pixels, outside, inside) == -127.5 / 128).all()
    assert (exact._means(pixels, inside, inside) == 127.5 / 128).all()
