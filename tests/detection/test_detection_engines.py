"""The cascade gives the same faces whatever runs its networks."""

import sys

import numpy as np
import pytest
import torch
from face_pack import PACKAGED, cut_to_box, lfw, resized, turned
from hypothesis import given, settings
from hypothesis import strategies as st

from facepipe.detection import create_detector, preset
from facepipe.detection.networks import load_networks
from facepipe.detection.numpy_arrays import suppress_on_arrays
from facepipe.detection.onnx_stages import OnnxStages
from facepipe.detection.suppress import suppress
from facepipe.images import read_rgb

pytestmark = pytest.mark.slow


def assert_same(ours, theirs):
    """As close as the issue of the engines asks: 0.1 pixels of a box, 0.05 of a landmark, 1e-3 of a score."""
    assert len(ours) == len(theirs)
    for mine, other in zip(ours, theirs, strict=True):
        assert (len(mine), mine.search) == (len(other), other.search)
        np.testing.assert_allclose(mine.boxes, other.boxes, rtol=0, atol=0.1)
        np.testing.assert_allclose(mine.landmarks, other.landmarks, rtol=0, atol=0.05)
        np.testing.assert_allclose(mine.scores, other.scores, rtol=0, atol=1e-3)


def both(detection, photos):
    return (create_detector(detection, "cpu", engine)(photos) for engine in ("onnx", "torch"))


def test_tight_turned_tiny_and_huge_faces():
    faces = [make() for make in PACKAGED.values()]
    photos = [cut_to_box(face, margin) for face in faces for margin in (0.2, 0.0, -0.1)]
    photos += [turned(face, quarters) for face in faces for quarters in (1, 2)]
    photos += [resized(face, side) for face in faces for side in (15, 40)]
    assert_same(*both(preset(turns=True), [photo.pixels for photo in photos]))


def test_photos_of_lfw(shared):
    assert_same(*both(preset(), [photo.pixels for photo in lfw(shared, 24)]))


def test_a_corner_within_rounding_error_of_a_whole_pixel(shared):
    """By float32 the left edge of one candidate is 60 in one engine and 59.99999 in the other: 0.86 pixels later."""
    photo = read_rgb(shared / "data" / "lfw" / "Tim_Robbins" / "Tim_Robbins_0001.jpg")
    ours, theirs = both(preset(), [photo])
    np.testing.assert_allclose(ours[0].boxes, theirs[0].boxes, rtol=0, atol=1e-3)


@pytest.mark.parametrize("name", ["sphereface-matlab", "insightface"])
def test_other_arithmetic(name, astronaut):
    assert_same(*both(preset(name), [astronaut[:260, 90:350]]))


def test_no_candidates_and_no_image():
    assert_same(*both(preset(border=False), [np.zeros((64, 64, 3), np.uint8), np.zeros((5, 5, 3), np.uint8)]))
    assert create_detector(engine="onnx")([]) == []


@pytest.mark.parametrize("package", ["onnxruntime", None])
def test_networks_by_either_library(package, monkeypatch):
    if package is None:
        monkeypatch.setitem(sys.modules, "onnxruntime", None)
    else:
        pytest.importorskip(package)
    stages, rng = OnnxStages(), np.random.default_rng(0)
    sides = ((3, 37, 51), (20, 24, 24), (5, 48, 48))
    ours, theirs = (stages.pnet, stages.rnet, stages.onet), load_networks(torch.device("cpu"))
    for run, network, (count, height, width) in zip(ours, theirs, sides, strict=True):
        for rows in (count, 1):  # one shape after another
            x = rng.uniform(-1, 1, (rows, 3, height, width)).astype(np.float32)
            with torch.no_grad():
                expected = network(torch.from_numpy(x))
            for mine, other in zip(run(x), expected, strict=True):
                np.testing.assert_allclose(mine, other.numpy(), rtol=0, atol=1e-5)


boxes = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(0, 20), st.integers(0, 20), st.integers(0, 9),
              st.integers(0, 2)),
    max_size=40,
)  # fmt: skip


@settings(deadline=None, max_examples=200)
@given(boxes, st.sampled_from([0.3, 0.5, 0.7]), st.booleans())
def test_suppression_in_numpy_is_that_of_pytorch(drawn, threshold, over_smaller):
    rows = np.array(drawn, np.float32).reshape(-1, 6)
    corners = np.concatenate([rows[:, :2], rows[:, :2] + rows[:, 2:4]], 1)
    scores, group = rows[:, 4] / 10, rows[:, 5].astype(np.int64)
    ours = suppress_on_arrays(corners, scores, group, threshold, over_smaller)
    theirs = suppress(*map(torch.from_numpy, (corners, scores, group)), threshold, over_smaller)
    assert ours.tolist() == theirs.tolist()
