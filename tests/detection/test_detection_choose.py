"""Choosing faces, the `Faces` value, the settings of a search, and threads that take one image each."""

import dataclasses
import json
import threading

import numpy as np
import pytest
import torch
from cli_run import run

from facepipe.detection import DETECTORS, FACE_RULES, PRESETS, DetectorSettings, Faces, choose, create_detector, preset
from facepipe.detection.detectors import DetectorKind, Preset
from facepipe.detection.workers import _pool, map_on_cores
from facepipe.errors import DeviceError, FacepipeError


def faces(*boxes, scores=None):
    count = len(boxes)
    scores = [0.9] * count if scores is None else scores
    landmarks = np.arange(count * 10, dtype=np.float32).reshape(count, 5, 2)
    return Faces(np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32), landmarks)


@pytest.mark.parametrize("rule", FACE_RULES)
def test_no_face_is_no_choice(rule):
    chosen = choose(Faces.none(), rule, (100, 100))
    assert chosen.shape == (0,) and chosen.dtype == np.int64


def test_centre_takes_the_box_nearest_the_image_centre():
    # Centres (20, 20), (60, 45) and (50, 90) in an image of width 100 and height 80.
    found = faces((10, 10, 30, 30), (40, 35, 80, 55), (45, 85, 55, 95))
    assert choose(found, "centre", (80, 100)).tolist() == [1]
    assert choose(found, "centre", (200, 90)).tolist() == [2]


def test_centre_is_measured_as_published():
    """face_detect_demo.m counts boxes from 1: the pixel in the middle of 101 is number 51, and half of 101 is 50.5."""
    left, right = (20, 40, 38, 60), (61, 40, 79, 60)
    assert choose(faces(left, right), "centre", (101, 101)).tolist() == [0]
    assert choose(faces(left, right), "centre", (101, 103)).tolist() == [1]


def test_centre_measures_both_directions():
    # Ten pixels off sideways beats twenty off in height, but not five and five.
    found = faces((30, 10, 50, 70), (35, 55, 65, 65), (44, 44, 46, 46))
    assert choose(found.take([0, 1]), "centre", (80, 100)).tolist() == [0]
    assert choose(found, "centre", (80, 100)).tolist() == [2]


def test_largest_goes_by_area_not_by_width():
    assert choose(faces((0, 0, 50, 10), (20, 20, 45, 45), (0, 30, 10, 80)), "largest", (99, 99)).tolist() == [1]


def test_largest_measures_what_is_visible_and_prefers_whole_faces():
    whole, cut_off = (30, 30, 69, 69), (80, 20, 139, 79)
    # 60×60 against 40×40, but 20 of its 60 columns lie inside an image of width 100.
    assert choose(faces(cut_off, whole), "largest", (100, 100)).tolist() == [1]
    assert choose(faces(cut_off, whole), "largest", (100, 200)).tolist() == [0]
    # Half of 60×60 is more than 40×40 to look at, and yet the whole face is meant: 30·60·½ < 40·40.
    assert choose(faces((70, 20, 129, 79), whole), "largest", (100, 100)).tolist() == [1]
    # One that fills the photo and overflows it is meant all the same.
    assert choose(faces((-10, -10, 105, 105), (5, 5, 24, 24)), "largest", (100, 100)).tolist() == [0]
    assert choose(faces((200, 0, 300, 99), (5, 5, 9, 9)), "largest", (100, 100)).tolist() == [1]


def test_of_faces_about_equally_large_the_one_nearest_the_centre():
    """Jean_Charest_0001: a neighbour at the edge is three per cent larger than who is in the middle."""
    middle, neighbour = (70, 60, 164, 184), (-1, 44, 95, 182)
    assert choose(faces(neighbour, middle), "largest", (250, 250)).tolist() == [1]
    sides = [(60, 60, 159, 159), (0, 0, 110, 110), (0, 0, 113, 113)]  # areas 10,000, 12,321, 12,996
    assert choose(faces(*sides[:2]), "largest", (250, 250)).tolist() == [0]
    assert choose(faces(sides[0], sides[2]), "largest", (250, 250)).tolist() == [1]


def test_largest_passes_over_a_face_between_two():
    """Hugo_Chavez_0033: two heads side by side, and a larger, less sure box over both that is no face."""
    left, right, between = (8, 82, 99, 206), (92, 62, 194, 201), (50, 66, 155, 203)
    found = faces(left, right, between, scores=[0.9999, 0.9998, 0.9918])
    assert choose(found, "largest", (250, 250)).tolist() == [1]
    assert choose(found.take([2, 0, 1]), "largest", (250, 250)).tolist() == [2]
    # A larger face that overlaps little is meant though it is less sure, and of two that overlap much the surer one.
    beside = faces((90, 62, 177, 185), (147, 40, 249, 190), scores=[1, 0.95])
    assert choose(beside, "largest", (250, 250)).tolist() == [1]
    assert choose(faces(left, between, scores=[0.95, 0.99]), "largest", (250, 250)).tolist() == [1]


def test_best_and_all_go_by_score():
    found = faces(*[(0, 0, 9, 9)] * 4, scores=[0.7, 0.95, 0.9, 0.95])
    assert choose(found, "best", (99, 99)).tolist() == [1]
    assert choose(found, "all", (99, 99)).tolist() == [1, 3, 2, 0]


def test_insightface_weighs_area_against_distance():
    # Centres 20 and 0 pixels off to the side of an image of 100×100; boxes count from 1 there.
    wide, middle = (49, 29, 89, 69), (39, 39, 59, 59)
    assert choose(faces(middle, wide), "insightface", (100, 100)).tolist() == [1]  # 1600 − 2·400 against 400
    farther = faces(middle, (52, 29, 92, 69))  # 1600 − 2·23² = 542; 3 pixels more and it is 1600 − 2·26² = 248
    assert choose(farther, "insightface", (100, 100)).tolist() == [1]
    assert choose(faces(middle, (55, 29, 95, 69)), "insightface", (100, 100)).tolist() == [0]
    # The rule of its own script, longhand, on boxes that count from 1.
    rng = np.random.default_rng(0)
    for _ in range(50):
        corner, side = rng.uniform(0, 200, (6, 2)), rng.uniform(20, 90, (6, 2))
        boxes = np.concatenate([corner, corner + side], 1).astype(np.float32)
        x, y = (boxes[:, 0] + boxes[:, 2]) / 2 + 1 - 125, (boxes[:, 1] + boxes[:, 3]) / 2 + 1 - 120
        expected = int(np.argmax(np.prod(boxes[:, 2:] - boxes[:, :2], 1) - 2 * (x * x + y * y)))
        assert choose(faces(*boxes.tolist()), "insightface", (240, 250)).tolist() == [expected]


@pytest.mark.parametrize("rule", ["centre", "largest", "best", "insightface"])
def test_the_earlier_face_wins_a_tie(rule):
    found = faces((60, 40, 70, 60), (28, 40, 38, 60), (28, 40, 38, 60))
    assert choose(found, rule, (100, 100)).tolist() == [0]


def test_choices_are_indices_that_take_accepts():
    found = faces((0, 0, 9, 9), (0, 0, 20, 20), scores=[0.8, 0.9])
    taken = found.take(choose(found, "all", (30, 30)))
    assert taken.scores.tolist() == pytest.approx([0.9, 0.8])
    assert (taken.landmarks[0] == found.landmarks[1]).all()
    assert len(found.take(np.array([True, False]))) == 1
    assert found.take([]).landmarks.shape == (0, 5, 2)


def test_unknown_rule_lists_the_known():
    with pytest.raises(FacepipeError, match="'biggest' is unknown; choose one of centre, largest, best, insight"):
        choose(Faces.none(), "biggest", (9, 9))


def test_moved_faces():
    found = faces((1, 2, 3, 4))
    moved = found.moved((2, 3), (0.5, -1))
    assert moved.boxes.tolist() == [[2.5, 5, 6.5, 11]] and moved.boxes.dtype == np.float32
    assert (moved.landmarks == found.landmarks * [2, 3] + [0.5, -1]).all() and moved.landmarks.dtype == np.float32
    assert moved.scores == found.scores


def test_presets():
    assert PRESETS["sphereface"].settings == DetectorSettings() == DetectorSettings("mtcnn", 20, 0.85, (0.6, 0.7, 0.9))
    assert PRESETS["fast"].settings == DetectorSettings(factor=0.709)
    assert preset("fast", min_face=40, factor=None, thresholds=None) == DetectorSettings(min_face=40, factor=0.709)
    with pytest.raises(FacepipeError, match=r"unknown detector preset 'slow'; choose one of .*insightface"):
        preset("slow")


@pytest.mark.parametrize(
    "bad, message",
    [
        ({"min_face": 11.9}, "minimum face 11.9 .*raise it"),
        ({"min_face": float("nan")}, "minimum face nan"),
        ({"factor": 0.05}, "pyramid factor 0.05 must be between"),
        ({"factor": 0.96}, "pyramid factor 0.96"),
        ({"factor": float("nan")}, "pyramid factor nan"),
        ({"thresholds": (0.6, 0.7)}, r"thresholds 0.6, 0.7: mtcnn takes 3, each at least 0"),
        ({"thresholds": (0.6, 0.7, 1.0)}, "mtcnn takes 3"),
        ({"thresholds": (-0.1, 0.7, 0.9)}, "mtcnn takes 3"),
        ({"max_pixels": 0}, "limit of 0 pixels must be at least 1"),
        ({"detector": "viola"}, r"unknown detector 'viola'; choose one of .*mtcnn"),
    ],
)
def test_settings_out_of_range_name_the_value(bad, message):
    with pytest.raises(FacepipeError, match=message):
        DetectorSettings(**bad)


def test_settings_at_the_edge_of_the_range():
    DetectorSettings(min_face=12, factor=0.95, thresholds=(0, 0, 0.999))


def test_settings_are_recorded_whole():
    told = DetectorSettings(min_face=31).to_dict()
    assert json.loads(json.dumps(told)) == told
    assert set(told) == {field.name for field in dataclasses.fields(DetectorSettings)}
    assert (told["detector"], told["min_face"], told["thresholds"]) == ("mtcnn", 31, [0.6, 0.7, 0.9])


@pytest.fixture
def one():
    """A detector that another module adds, as a new file in the folder would, and what it was made of."""
    asked = []

    def make(settings, device, engine):
        asked.append((settings.min_face, device))
        return lambda images: [faces((1, 2, 3, 4)) for _ in images]

    DETECTORS.add("one", DetectorKind("finds one face anywhere", make, stages=1, smallest_face=5, preset="one"))
    PRESETS.add("one", Preset("minimum face 6", DetectorSettings("one", min_face=6, thresholds=(0.5,))))
    yield asked
    DETECTORS.remove("one")
    PRESETS.remove("one")


def test_a_new_detector_is_everywhere(one):
    """In the tables, and in the options of every command that detects with their help."""
    detector = create_detector(preset("one"), "cpu")
    assert one == [(6, "cpu")]
    assert detector([np.zeros((9, 9, 3), np.uint8)])[0].boxes.tolist() == [[1, 2, 3, 4]]
    with pytest.raises(FacepipeError, match="one takes 1"):
        DetectorSettings("one", thresholds=(0.5, 0.6))
    for command in ("detect", "compare", "preprocess", "eval lfw"):
        told = " ".join(run(*command.split(), "--help").out.split())
        assert "one: finds one face anywhere" in told and "one: minimum face 6" in told
    with pytest.raises(FacepipeError, match="detector 'one' exists already"):
        DETECTORS.add("one", DETECTORS["mtcnn"])


def test_a_device_that_is_not_there():
    with pytest.raises(DeviceError, match="no such device"):
        create_detector(device="gpu0")


def test_map_keeps_order_and_runs_on_threads_of_one_core():
    barrier = threading.Barrier(2)
    seen = set()

    def square(number):
        if number < 2 and torch.get_num_threads() == 1:
            seen.add(threading.current_thread().name)
            if threads > 1:
                barrier.wait(10)  # passes only when two of them run at once
        return number * number, torch.get_num_threads()

    threads = torch.get_num_threads()
    results = map_on_cores(square, iter(range(20)))
    assert [value for value, _ in results] == [number * number for number in range(20)]
    assert {count for _, count in results} == {1}
    assert len(seen) == min(threads, 2)
    assert torch.get_num_threads() == threads
    assert map_on_cores(square, []) == []


def test_threads_of_others_keep_all_cores():
    """PyTorch's default for new threads is one for the process; making our threads must not change it."""
    _pool.cache_clear()
    map_on_cores(abs, [1, 2])
    seen = []
    other = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
    other.start()
    other.join()
    assert seen == [torch.get_num_threads()]


def test_map_passes_an_exception_on_and_works_again():
    def fail_at_three(number):
        if number == 3:
            raise ValueError("three")
        return number

    with pytest.raises(ValueError, match="three"):
        map_on_cores(fail_at_three, range(10))
    assert map_on_cores(fail_at_three, [1, 2]) == [1, 2]


def test_the_last_row_and_column_belong_to_a_box():
    """50×2 pixels are more than 9×9, though 49·1 is less than 8·8."""
    found = faces((0, 0, 8, 8), (20, 0, 69, 1))
    assert choose(found, "largest", (100, 100)).tolist() == [1]
