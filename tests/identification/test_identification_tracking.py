"""Tracks and their names, and whole videos of coloured squares."""

import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moving_squares import MODEL, ColourEmbedder, find_squares, frame, gallery, write_video

from facepipe.embedding import Embeddings
from facepipe.identification import UNKNOWN, Identifier, Identity
from facepipe.identification import decision_at as decided
from facepipe.identification.prefetch import read_ahead
from facepipe.identification.scene import Scene, Seen, interpolated, records
from facepipe.identification.summary import PhotoSummary, lost_frames, video_summary
from facepipe.identification.track_names import Appearance, TrackNames
from facepipe.identification.tracking import Tracker, iou, tracker_for
from facepipe.identification.video import Video
from facepipe.identification.video_faces import VideoFaces
from facepipe.zoo import locate


def faces(*vectors):
    return Embeddings(np.array(vectors, np.float32).reshape(-1, 2), MODEL)


def square(left, side=10):
    return (left, 0, left + side, side)


def boxes(*lefts):
    return np.array([square(left) for left in lefts], np.float32).reshape(-1, 4)


A, B = (3, 0), (0, 2)


def test_iou_by_hand():
    a = np.array([(0, 0, 10, 10), (0, 0, 10, 10), (5, 5, 5, 9)], np.float32)
    b = np.array([(5, 0, 15, 10), (20, 0, 30, 10), (5, 5, 5, 9)], np.float32)
    assert iou(a, b)[[0, 1, 2], [0, 1, 2]].tolist() == [pytest.approx(1 / 3), 0, 0]
    assert iou(a[:1], a[:1]) == [[1]]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(*[st.integers(0, 20)] * 4), min_size=2, max_size=2))
def test_iou_counts_pixels(pair):
    cells = [
        {(x, y) for x in range(left, left + wide) for y in range(top, top + high)} for left, top, wide, high in pair
    ]
    both = [np.array([(left, top, left + wide, top + high)], np.float32) for left, top, wide, high in pair]
    whole = len(cells[0] | cells[1])
    assert iou(*both)[0, 0] == pytest.approx(len(cells[0] & cells[1]) / whole if whole else 0)


def numbers(tracker, time, lefts, vectors):
    return [track.number for track in tracker.update(time, boxes(*lefts), faces(*vectors))[0]]


def test_a_face_that_moves_stays_one_track():
    tracker = Tracker(0.3, 0.5)
    for step in range(9):
        assert numbers(tracker, step / 10, [3 * step], [A]) == [1]
    assert tracker.open[0].faces == 9 and (tracker.open[0].first, tracker.open[0].last) == (0, 0.8)


def test_a_cut_to_somebody_else_in_the_same_place_is_a_new_track():
    tracker = Tracker(0.3, 0.5)
    assert numbers(tracker, 0, [0], [A]) == [1]
    assert numbers(tracker, 0.1, [0], [B]) == [2]
    assert numbers(tracker, 0.2, [0], [A]) == [1], "and back"


def test_two_that_cross_keep_their_tracks():
    tracker = Tracker(0.3, 0.5)
    for step in range(11):
        assert numbers(tracker, step / 10, [2 * step, 20 - 2 * step], [A, B]) == [1, 2]


def test_a_jump_is_followed_by_the_embedding_and_patience_ends():
    tracker = Tracker(0.3, 0.5, patience=1.0)
    assert numbers(tracker, 0, [0], [A]) == [1]
    assert numbers(tracker, 0.9, [500], [A]) == [1]
    tracks, ended = tracker.update(2.0, boxes(500), faces(A))
    assert [track.number for track in tracks] == [2] and [track.number for track in ended] == [1]


@pytest.mark.parametrize(("time", "gaps"), [(1.0, []), (1.01, [(0, 1.01)])])
def test_a_gap_is_more_than_a_second(time, gaps):
    tracker = Tracker(0.3, 0.5, patience=3.0)
    assert numbers(tracker, 0, [0], [A]) == numbers(tracker, time, [0], [A]) == [1]
    assert tracker.open[0].gaps == gaps


@pytest.mark.parametrize(("cosine", "number"), [(0.5, 1), (0.49, 2), (0.35, 2)])
def test_elsewhere_only_a_face_that_is_surely_the_same_goes_on(cosine, number):
    """0.35 would do in the same place; across the frame it takes what two photos of one person take."""
    tracker = Tracker(0.3, 0.5)
    assert numbers(tracker, 0, [0], [A]) == [1]
    assert numbers(tracker, 0.1, [500], [(cosine, np.sqrt(1 - cosine**2))]) == [number]


@pytest.mark.parametrize(("cosine", "number"), [(0.3, 1), (0.29, 2)])
def test_in_the_same_place_a_face_that_is_not_another_goes_on(cosine, number):
    tracker = Tracker(0.3, 0.5)
    assert numbers(tracker, 0, [0], [A]) == [1]
    assert numbers(tracker, 0.1, [0], [(cosine, np.sqrt(1 - cosine**2))]) == [number]


def test_thresholds_of_a_tracker():
    """In the same place a stranger passes with FAR 1e-3; at 1e-2, the next looser rate, one in a hundred would."""
    shipped, _ = locate("facepipe-mobilenet")
    found = tracker_for(shipped, None, 0.9)
    assert (found.low, found.same) == tuple(shipped.threshold_at(far).value for far in (1e-3, 1e-4))
    bare = tracker_for(replace(shipped, thresholds=()), None, 0.4)
    assert (bare.low, bare.same) == (pytest.approx(0.34), 0.4)


def test_two_alike_faces_in_one_frame_are_two_tracks():
    tracker = Tracker(0.3, 0.5)
    assert sorted(numbers(tracker, 0, [0, 50], [A, A])) == [1, 2]
    assert numbers(tracker, 0.1, [51, 1], [A, A]) == [2, 1]
    assert tracker.update(0.2, boxes(), faces()) == ([], [])


def test_the_surest_faces_speak_for_the_track():
    """Two long vectors and forty short ones that say something else: the pool keeps the long ones' direction."""
    tracker = Tracker(-1, 2)
    for step in range(42):
        vector = (90, 10) if step < 2 else (0, 1)
        tracker.update(step / 50, boxes(0), faces(vector))
    track = tracker.open[0]
    assert track.faces == 42 and len(track.best) == 32
    assert track.pooled[0] > 0.95


def test_names_change_seldom():
    asked = []

    class Counting:
        def __call__(self, probes):
            asked.append(len(probes))
            return [Identity("ada", 0.9, "ada", None, None)] * len(probes)

    names, tracker = TrackNames(Counting()), Tracker(0.3, 0.5)
    for step in range(20):
        names.update(tracker.update(step / 50, boxes(0), faces(A))[0])
    assert asked == [1] * 5, "at 1, 2, 4, 8 and 16 faces"
    names.end(tracker.open)
    assert asked == [1] * 6
    assert names.appearances == [Appearance(1, names.of(tracker.open[0]), 0, pytest.approx(0.38), 20)]


SQUARES = [
    {"red": (3 * number, 10)}
    | ({"green": (120, 60)} if number < 10 else {})
    | ({"blue": (90, 20)} if number > 14 else {})
    for number in range(24)
]


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("room", [10**9, 1])
def test_a_whole_video(tmp_path, monkeypatch, every, room):
    """Red and green are known; blue is not. With little memory fewer frames wait, and the same comes out."""
    monkeypatch.setattr("facepipe.identification.video_faces._BYTES", room)
    video = Video(str(write_video(tmp_path / "a.mp4", [frame(squares) for squares in SQUARES])))
    names = TrackNames(Identifier(gallery("red", "green"), decided(0.8)))
    found = list(VideoFaces(video, find_squares, ColourEmbedder(), Tracker(0.3, 0.9), names, every)())
    assert [shown.number for shown, _ in found] == [scene.frame for _, scene in found] == list(range(24))
    for shown, scene in found:
        assert np.abs(shown.image.astype(int) - frame(SQUARES[shown.number])).mean() < 4
        assert scene.searched == (shown.number % every == 0)
        expected = {UNKNOWN if name == "blue" else name for name in SQUARES[shown.number]}
        if every == 1:
            assert {face.identity.name for face in scene.faces} == expected
        red = next(face for face in scene.faces if face.identity.name == "red")
        left, top = SQUARES[shown.number]["red"]
        slack = 4 if shown.number < 22 else 9  # after the last frame searched it stays where it was
        assert red.box == pytest.approx([left, top, left + 24, top + 24], abs=slack)
    summary = video_summary("a.mp4", 2.4, 24, names.appearances)
    assert list(summary["people"]) == ["green", "red", UNKNOWN]
    red = summary["people"]["red"]
    assert red["intervals"][0][0] == 0 and red["tracks"] == 1 and red["faces"] == 24 // every
    assert red["seconds"] == pytest.approx(2.4, abs=0.1 * every)
    assert summary["people"]["green"]["seconds"] == pytest.approx(1.0, abs=0.1 * every)


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("every", [1, 3])
def test_without_images_the_same_faces_are_found(tmp_path, every, live):
    written = write_video(tmp_path / "a.mp4", [frame(squares) for squares in SQUARES])

    def scenes(images):
        video = Video(str(written))
        video.live = live
        names = TrackNames(Identifier(gallery("red", "green"), decided(0.8)))
        faces_of = VideoFaces(video, find_squares, ColourEmbedder(), Tracker(0.3, 0.9), names, every, images)
        found = []
        for shown, scene in faces_of():
            assert (shown.image.size > 0) == images
            people = [(face.identity.name, np.asarray(face.box).tolist()) for face in scene.faces]
            found.append((shown.number, scene.searched, people))
        return found

    with_images, without = scenes(True), scenes(False)
    if not live:  # a live source may lose frames, others in each run
        assert with_images == without and len(without) == 24
    assert any(faces for _, _, faces in without)


def test_images_that_no_one_needs_do_not_wait(tmp_path, monkeypatch):
    """Of a film that is searched at every fifth frame, only searched ones reach the queue behind the decoder."""
    waiting = []

    def counting(frames, *more):
        def counted():
            for each in frames:
                waiting.append(each.image.size > 0)
                yield each

        return read_ahead(counted(), *more)

    video = Video(str(write_video(tmp_path / "a.mp4", [frame(squares) for squares in SQUARES])))
    names = TrackNames(Identifier(gallery("red"), decided(0.8)))
    faces_of = VideoFaces(video, find_squares, ColourEmbedder(), Tracker(0.3, 0.9), names, 5, False)
    monkeypatch.setattr(
        "facepipe.identification.video_faces.read_ahead",
        lambda source, room, name, *more: (counting if name == "decode" else read_ahead)(source, room, name, *more),
    )
    list(faces_of())
    assert waiting == [number % 5 == 0 for number in range(24)]


@pytest.mark.parametrize("every", [1, 7, 13, 25])
def test_steps_longer_than_a_second(tmp_path, every):
    """Ten frames a second: two people, one of them to the half of the film, whatever is searched."""
    squares = [{"red": (number, 10)} | ({"green": (120, 60)} if number < 50 else {}) for number in range(100)]
    video = Video(str(write_video(tmp_path / "a.mp4", [frame(each) for each in squares])))
    names = TrackNames(Identifier(gallery("red", "green"), decided(0.8)))
    list(VideoFaces(video, find_squares, ColourEmbedder(), Tracker(0.3, 0.9), names, every)())
    people = video_summary("a.mp4", 10, 100, names.appearances, every)["people"]
    assert {name: person["tracks"] for name, person in people.items()} == {"red": 1, "green": 1}
    assert people["red"]["seconds"] == pytest.approx(10, abs=0.11)
    assert people["green"]["seconds"] == pytest.approx(5, abs=0.1 * every)


def test_patience_is_counted_in_steps():
    tracker = Tracker(0.3, 0.5, patience=1.0)
    for step in range(4):
        tracker.searched(2.0 * step)
        if step != 2:  # missed once
            assert numbers(tracker, 2.0 * step, [0], [A]) == [1]
    tracker.searched(12.1)
    assert numbers(tracker, 12.1, [0], [A]) == [2]


def test_frames_of_a_live_source_that_nobody_had_time_for_are_counted(tmp_path):
    """The detector is slower than the source, which waits for nobody."""
    video = Video(str(write_video(tmp_path / "a.mp4", [frame(squares) for squares in SQUARES])))
    video.live = True

    def slow(images):
        time.sleep(0.05)
        return find_squares(images)

    names = TrackNames(Identifier(gallery("red"), decided(0.8)))
    faces_of = VideoFaces(video, slow, ColourEmbedder(), Tracker(0.3, 0.9), names)
    shown = len(list(faces_of()))
    assert faces_of.dropped > 0 and shown + faces_of.dropped == len(SQUARES)
    assert lost_frames(video, faces_of.dropped) == {"undecodable": 0, "dropped": faces_of.dropped, "gaps": []}


def test_stopping_early_shows_what_was_read(tmp_path):
    video = Video(str(write_video(tmp_path / "a.mp4", [frame(squares) for squares in SQUARES])))
    names = TrackNames(Identifier(gallery("red"), decided(0.8)))
    faces_of = VideoFaces(video, find_squares, ColourEmbedder(), Tracker(0.3, 0.9), names)
    assert len(list(faces_of(lambda seconds: seconds > 0.95))) == 10
    assert {appearance.identity.name for appearance in names.appearances} == {"red", UNKNOWN}


def test_an_error_of_the_detector_reaches_the_caller(tmp_path):
    def broken(images):
        raise ValueError("no memory")

    video = Video(str(write_video(tmp_path / "a.mp4", [frame({})] * 30)))
    names = TrackNames(Identifier(gallery("red"), decided(0.8)))
    with pytest.raises(ValueError, match="no memory"):
        list(VideoFaces(video, broken, ColourEmbedder(), Tracker(0.3, 0.9), names)())


def seen(track, left, name="ada"):
    identity = Identity(name, 0.75, "ada", "bo", 0.25)
    return Seen(np.array(square(left), np.float32), np.full((5, 2), left, np.float32), 0.5, identity, 12.0, track)


def test_between_two_scenes():
    before, after = Scene("v", 0, 0.0, (seen(1, 0), seen(2, 50))), Scene("v", 4, 0.4, (seen(1, 40), seen(3, 90)))
    early, late = interpolated(before, after, 1, 0.1), interpolated(before, after, 3, 0.3)
    assert [(face.track, round(float(face.box[0]), 3)) for face in early.faces] == [(1, 10), (2, 50)]
    assert [(face.track, round(float(face.box[0]), 3)) for face in late.faces] == [(1, 30), (3, 90)]
    assert early.faces[0].landmarks[0, 0] == pytest.approx(10) and (early.frame, early.searched) == (1, False)
    assert [face.track for face in interpolated(before, None, 9, 0.9).faces] == [1, 2]


def test_records():
    record = records(Scene("v", 3, 0.1, (seen(1, 0),)), "norm")[0]
    assert record == {
        "source": "v", "frame": 3, "time": 0.1, "track": 1, "box": [0, 0, 10, 10], "landmarks": [[0, 0]] * 5,
        "detection_score": 0.5, "search": "plain", "name": "ada", "score": 0.75, "nearest": "ada", "runner_up": "bo",
        "runner_up_score": 0.25, "confidence": 12.0, "confidence_kind": "norm",
    }  # fmt: skip
    assert records(Scene("v", 3, 0.1, (seen(1, 0),), searched=False), "norm") == []
    assert records(Scene("p", 0, 0, (), reason="damaged"), "norm") == [{"source": "p", "error": "damaged"}]


def appearance(track, name, first, last, score=0.5):
    return Appearance(track, Identity(name, score, name, None, None), first, last, 3)


def test_summary_joins_near_intervals():
    tracks = [
        appearance(4, "ada", 10, 12, 0.9),
        appearance(1, "ada", 0, 1),
        appearance(2, "ada", 1.5, 4),
        appearance(3, "ada", 2, 3),
        appearance(5, UNKNOWN, 0, 1),
        appearance(6, "zoe", 0, 1),
    ]
    people = video_summary("v", 20, 200, tracks)["people"]
    assert list(people) == ["ada", "zoe", UNKNOWN]
    assert people["ada"] == {
        "seconds": 6.2, "intervals": [[0, 4.1], [10, 12.1]], "tracks": 4, "faces": 12, "best_score": 0.9
    }  # fmt: skip


def test_a_whole_second_without_anybody_is_a_pause():
    """Each of ten frames lasts a second, so that what was seen until 1 was there until 2."""
    tracks = [appearance(1, "Ann", 0.0, 1.0), appearance(2, "Ann", 3.0, 4.0)]
    assert video_summary("v", 10.0, 10, tracks)["people"]["Ann"]["intervals"] == [[0.0, 2.0], [3.0, 5.0]]


def test_photo_summary():
    summary = PhotoSummary()
    summary.add(Scene("a.jpg", 0, 0, (seen(None, 0), seen(None, 20), seen(None, 40, UNKNOWN))))
    summary.add(Scene("b.jpg", 0, 0, (seen(None, 0),)))
    summary.add(Scene("c.jpg", 0, 0, ()))
    summary.add(Scene("d.jpg", 0, 0, (), reason="damaged"))
    assert summary.as_json() == {
        "photos": 4,
        "unreadable": 1,
        "without_faces": 1,
        "people": {
            "ada": {"faces": 3, "photos": ["a.jpg", "b.jpg"], "best_score": 0.75},
            UNKNOWN: {"faces": 1, "photos": ["a.jpg"], "best_score": 0.75},
        },
    }
