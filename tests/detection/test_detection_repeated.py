"""Further searches of photos without a face: in a border, turned, and back in the photo's own pixels."""

import numpy as np
import pytest
from face_pack import PACKAGED, cut_to_box, error, turned

from facepipe.detection import DetectorSettings, Faces, create_detector, preset
from facepipe.detection.repeated import RepeatedSearch, _rounds, _View
from facepipe.errors import FacepipeError

FAST = preset("fast")


def marked(shape, x, y):
    """Black but for one white pixel."""
    image = np.zeros((*shape, 3), np.uint8)
    image[y, x] = 255
    return image


def finder(score=lambda image: 0.995, seen=None):
    """A detector that takes the brightest pixel for a face whose five landmarks and box are that pixel."""

    def find(images):
        found = []
        for image in images:
            if seen is not None:
                seen.append(image.shape[:2])
            y, x = np.unravel_index(image.sum(2).argmax(), image.shape[:2])
            points = np.full((1, 5, 2), [x, y], np.float32)
            value = score(image)
            boxes = np.array([[x, y, x, y]], np.float32)
            one = Faces(boxes, np.array([value], np.float32), points)
            found.append(one if value > 0 else Faces.none())
        return found

    return find


@pytest.mark.parametrize("bordered", [False, True])
@pytest.mark.parametrize("turns", [0, 1, 2, 3])
@pytest.mark.parametrize("shape", [(5, 9), (9, 5), (700, 400), (300, 900)])
def test_what_is_found_in_a_view_comes_back_to_its_place(shape, turns, bordered):
    view, (x, y) = _View(turns, bordered), (shape[1] * 2 // 3, shape[0] // 4)
    image = np.zeros((*shape, 3), np.uint8)
    image[y : y + 8, x : x + 8] = 255
    (found,) = finder()([view.of(image)])
    back = view.back(found, image)
    # The first bright pixel of a reduced image covers several, and which corner comes first depends on the turn.
    reached = back.landmarks[0, 0]
    assert (reached >= [x - 2, y - 2]).all() and (reached <= [x + 9, y + 9]).all()
    np.testing.assert_allclose(back.boxes[0], np.tile(reached, 2), atol=1e-3)
    if shape[0] < 10 and bordered is False:
        single = marked(shape, x, y)
        (found,) = finder()([view.of(single)])
        assert view.back(found, single).boxes.tolist() == [[x, y, x, y]]


def test_the_last_search_is_in_a_border_and_lenient():
    """Only photos in which nothing was found come to it, and only they make its detector."""
    made, seen = [], []

    def lenient():
        made.append(1)
        return finder(lambda image: 0.75, seen)

    photos = [marked((30, 40), 3, 4), np.zeros((30, 40, 3), np.uint8)]
    strict = finder(lambda image: float(image.any()) - 0.05)
    one, other = RepeatedSearch(strict, DetectorSettings(), lenient)([photos[0], photos[0]])
    assert not made and {one.search, other.search} == {"plain"}
    one, other = RepeatedSearch(strict, DetectorSettings(), lenient)(photos)
    assert (one.search, other.search, len(made), seen) == ("plain", "lenient-border", 1, [(70, 80)])
    assert RepeatedSearch(strict, DetectorSettings())(photos)[1].search == "plain"


@pytest.mark.parametrize(
    "settings, last",
    [
        (DetectorSettings(), (0.6, 0.7, 0.7)),
        (DetectorSettings(lenient=0.5), (0.6, 0.7, 0.5)),
        (DetectorSettings(border=False), None),
        (DetectorSettings(lenient=None), None),
        (preset("mtcnn-demo"), None),
        (DetectorSettings().with_least_score(0.95), None),
        (preset("yunet"), None),
    ],
)
def test_what_the_last_search_asks_for(settings, last):
    found = settings.for_last_search()
    assert (found and found.thresholds) == last


def test_boxes_stay_upright():
    view, image = _View(1, False), np.zeros((40, 60, 3), np.uint8)
    box = np.array([[5, 10, 8, 30]], np.float32)
    points = np.array([[[5, 10], [8, 10], [6, 20], [5, 30], [8, 30]]], np.float32)
    back = view.back(Faces(box, np.ones(1, np.float32), points), image)
    # x = 59 − y', y = x' in the photo, whose right edge came to the top.
    assert back.boxes.tolist() == [[29, 5, 49, 8]] and back.search == "turned-90"
    assert back.landmarks[0].tolist() == [[49, 5], [49, 8], [39, 6], [29, 5], [29, 8]]


def test_a_photo_with_a_face_is_searched_once():
    seen = []
    detector = RepeatedSearch(finder(seen=seen), DetectorSettings(turns=True))
    (found,) = detector([marked((30, 40), 3, 4)])
    assert seen == [(30, 40)] and found.search == "plain"


@pytest.mark.parametrize("settings", [DetectorSettings(turns=True, border=False), preset("yunet", turns=True)])
def test_how_sure_is_the_detectors_own(settings):
    """Below it a photo is turned, and a doubtful face gives way only to one that reaches it."""
    assert (preset("yunet").confident_score, preset().confident_score) == (0.9, 0.99)
    photo, sure = marked((30, 40), 3, 4), settings.confident_score
    for upright, lying, searches, found in [
        (sure + 0.001, 1.0, 1, "plain"),
        (sure - 0.01, sure + 0.001, 4, "turned-90"),
        (sure - 0.02, sure - 0.01, 4, "plain"),
    ]:
        seen, scores = [], {(30, 40): upright, (40, 30): lying}
        detector = RepeatedSearch(finder(lambda image, of=scores: of[image.shape[:2]], seen), settings)
        assert detector([photo])[0].search == found and len(seen) == searches


def test_the_lenient_threshold_is_checked():
    with pytest.raises(FacepipeError, match="the lenient threshold 1 must be at least 0 and less than 1"):
        DetectorSettings(lenient=1)


def test_the_score_of_a_sure_face_is_checked():
    with pytest.raises(FacepipeError, match=r"the score 1\.5 of a confident face must be between 0 and 1"):
        DetectorSettings(confident_score=1.5)


def test_further_searches_come_in_turn_and_the_best_of_a_round_counts():
    """Upright nothing is found, and the second round is reached by nobody."""
    seen, photo = [], marked((30, 40), 3, 4)

    def score(image):
        return {(30, 40): -1, (40, 30): 0.95, (70, 80): 0.8}[image.shape[:2]]

    detector = RepeatedSearch(finder(score, seen), DetectorSettings(turns=True))
    (found,) = detector([photo])
    assert seen == [(30, 40), (70, 80), (40, 30), (30, 40), (40, 30)]
    assert found.search == "turned-90" and found.boxes.tolist() == [[3, 4, 3, 4]]


def test_only_photos_without_a_face_are_searched_again_and_all_keep_their_place():
    many = [marked((30, 40), number, 4) if number % 3 else np.zeros((30, 40, 3), np.uint8) for number in range(40)]
    searched = []

    def find(images):
        searched.append(len(images))
        return finder(lambda image: float(image.any()) - 0.5)(images)

    results = RepeatedSearch(find, DetectorSettings())(many)
    assert [len(found) for found in results] == [int(number % 3 > 0) for number in range(40)]
    assert [found.boxes[0, 0] for number, found in enumerate(results) if number % 3] == [n for n in range(40) if n % 3]
    assert searched == [40, 14] and {found.search for found in results} == {"plain"}


@pytest.mark.parametrize(
    "settings, names",
    [
        (DetectorSettings(border=False), []),
        (DetectorSettings(), [["border"]]),
        (DetectorSettings(border=False, turns=True), [["turned-90", "turned-180", "turned-270"]]),
        (
            DetectorSettings(turns=True),
            [
                ["border", "turned-90", "turned-180", "turned-270"],
                ["border-turned-90", "border-turned-180", "border-turned-270"],
            ],
        ),
    ],
)
def test_rounds(settings, names):
    assert [[view.name for view in views] for views in _rounds(settings)] == names


@pytest.mark.parametrize("name", PACKAGED)
def test_a_face_that_overflows_the_photo_is_found_in_a_border(name):
    known = cut_to_box(PACKAGED[name](), -0.08)
    once, again = (create_detector(preset(border=border), "cpu")([known.pixels])[0] for border in (False, True))
    assert error(known, again) < 0.1
    assert again.search == ("plain" if len(once) else "border")


@pytest.mark.slow
@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_photo_on_its_side_is_found_in_its_own_pixels(astronaut, quarters):
    known = turned(PACKAGED["astronaut"](), quarters)
    # Turned three times, a face is found without turning back too, with a score of 0.97 and landmarks that are wrong.
    plain, found = (create_detector(preset("fast", turns=turns), "cpu")([known.pixels])[0] for turns in (False, True))
    assert error(known, plain) > 0.5
    assert error(known, found) < 0.03 and found.search == f"turned-{360 - 90 * quarters}"


def test_nothing_is_found_where_nothing_is():
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    (found,) = create_detector(preset("fast", turns=True), "cpu")([noise])
    assert len(found) == 0
