"""``facepipe compare``, on a model that needs no download and whose scores nobody trusts."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from cli_run import refused, run, tiny_model

from facepipe.api.comparison import verdict
from facepipe.api.pipeline import Pipeline
from facepipe.embedding import load_embeddings
from facepipe.images import read_rgb, write_rgb
from facepipe.score import score_pairs
from facepipe.zoo import Probability, Threshold, read_card, save_card


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def photos(tmp_path_factory, astronaut):
    root = tmp_path_factory.mktemp("photos")
    large, small = (cv2.resize(astronaut, (side, side), interpolation=cv2.INTER_AREA) for side in (256, 128))
    pair = np.zeros((256, 384, 3), np.uint8)
    pair[64:192, :128], pair[:, 128:] = small, large
    write_rgb(root / "large.png", large)
    write_rgb(root / "small.jpg", small)
    write_rgb(root / "pair.png", pair)
    write_rgb(root / "nobody.png", np.full((90, 90, 3), 90, np.uint8))
    write_rgb(root / "crop.png", large[:112, :96])
    (root / "text.jpg").write_text("no image")
    return root


def test_json(photos, model):
    answer = run("compare", photos / "large.png", photos / "small.jpg", "-m", model, "--json").json
    assert set(answer) == {"score", "kind", "same", "verdict", "threshold", "far", "among", "calibrated_on",
                           "false_matches", "model", "engine", "precision", "findings", "images"}  # fmt: skip
    assert answer["precision"] in ("float32", "bfloat16")
    [finding] = answer["findings"]
    assert (finding["detector"], finding["faces"], finding["turns"]) == ("mtcnn", "largest", True)
    assert answer["engine"] == "torch"  # its weights have no graph beside them
    assert answer["verdict"] == ("same" if answer["same"] else "not shown") and answer["among"] == "random"
    assert answer["false_matches"] == {
        "random": {"rate": 1e-3, "bound": "", "measured_on": "nothing"}, "alike": None
    }  # fmt: skip
    assert -1 <= answer["score"] <= 1 and answer["same"] == (answer["score"] >= 0.5)
    assert (answer["threshold"], answer["far"], answer["calibrated_on"]) == (0.5, 1e-3, "nothing")
    assert answer["model"].startswith("tiny@")
    for image, name in zip(answer["images"], ("large.png", "small.jpg"), strict=True):
        assert image["path"] == str(photos / name)
        assert (image["faces"], image["used"], len(image["box"])) == (1, 1, 4)
        assert 0.9 < image["detection_score"] <= 1


def test_an_image_with_itself_scores_one(photos, model):
    answer = run("compare", photos / "large.png", photos / "large.png", "-m", model, "--json").json
    assert answer["score"] == pytest.approx(1, abs=1e-5) and answer["same"] is True


def test_exit_codes_of_both_answers(photos, model):
    words = ["compare", photos / "large.png", photos / "small.jpg", "-m", model]
    for threshold, said, code in ((-1, "same person", 0), (1.01, "not shown to be the same person", 1)):
        assert run(*words, "--threshold", threshold).code == 0
        checked = run(*words, "--threshold", threshold, "--check")
        assert checked.code == code
        assert checked.out.startswith(f"{said}: score ")
    answer = run(*words, "--threshold", 1.01, "--check", "--json").json
    assert (answer["same"], answer["threshold"], answer["far"]) == (False, 1.01, None)
    assert answer["false_matches"]["random"] == {"rate": 1e-3, "bound": "at most", "measured_on": "nothing"}


def test_for_people(photos, model):
    ended = run("compare", photos / "large.png", photos / "small.jpg", "-m", model)
    assert (ended.code, ended.err) == (0, "")
    first, *rest = ended.out.splitlines()
    assert first.endswith(("≥ 0.500 at FAR 0.001", "< 0.500 at FAR 0.001"))
    told = "1 in 1,000 among people at random, not measured among people who are alike; not measured for children"
    assert any(told in line for line in rest)
    assert rest[0] == f"  {photos / 'large.png'}: face 1 of 1"
    assert any("nothing" in line for line in rest) and any("tiny@" in line for line in rest)


@pytest.mark.parametrize("rule", ["largest", "best", "centre"])
def test_several_faces_are_told_and_one_is_used(photos, model, rule):
    ended = run("compare", photos / "pair.png", photos / "small.jpg", "-m", model, "--faces", rule, "--json")
    pair, single = ended.json["images"]
    assert pair["faces"] == 2 and single["faces"] == 1
    assert pair["used"] in (1, 2) and pair["used"] <= pair["faces"]
    left, _, right, _ = pair["box"]
    if rule == "largest":
        assert left > 128 and right - left > 35
    ended = run("compare", photos / "pair.png", photos / "small.jpg", "-m", model, "--faces", rule)
    assert f"face {pair['used']} of 2" in ended.out
    assert ended.err.count("\n") == 1 and f"several faces in {photos / 'pair.png'}: choose with --faces" in ended.err


def test_what_cannot_be_compared_is_one_line_that_names_it(photos, model):
    def other(name):
        return refused("compare", photos / "large.png", photos / name, "-m", model, "--json")

    assert other("nobody.png").startswith(f"{photos / 'nobody.png'}: no face found; try --min-face 12")
    assert other("missing.jpg") == f"{photos / 'missing.jpg'}: no such file or folder; check the path"
    assert other("text.jpg").startswith(f"{photos / 'text.jpg'}: not an image")
    assert other("").startswith(f"{photos}: a folder, not an image")
    assert "unknown model 'nobody'" in refused("compare", photos / "large.png", photos / "small.jpg", "-m", "nobody")
    assert "no threshold for cosine scores at FAR 1e-06; it has FAR 0.001" in refused(
        "compare", photos / "large.png", photos / "small.jpg", "-m", model, "--far", 1e-6
    )


def test_aligned_crops(photos, model):
    words = ["compare", photos / "crop.png", photos / "crop.png", "-m", model, "--already-aligned"]
    answer = run(*words, "--json").json
    assert answer["score"] == pytest.approx(1, abs=1e-5)
    assert answer["images"][0] == {"path": str(photos / "crop.png"), "faces": 0, "remarks": []}
    assert "treated as an aligned crop" in run(*words).out


def test_save_writes_both_photos_with_boxes(photos, model, tmp_path):
    picture = tmp_path / "new folder" / "both.jpg"
    ended = run("compare", photos / "large.png", photos / "pair.png", "-m", model, "--json", "--save", picture)
    assert isinstance(ended.json, dict) and f"picture: {picture}\n" in ended.err
    sheet = read_rgb(picture).astype(int)
    assert sheet.shape[0] > 400 and sheet.shape[1] > 400 + 600
    green = (sheet[..., 1] > 160) & (sheet[..., 0] < 110) & (sheet[..., 2] < 160)
    grey = np.abs(sheet - 160).max(2) < 8
    assert green.any(0)[:400].any() and green.any(0)[420:].any(), "each photo has its chosen face"
    assert grey.any(), "the face that was not chosen"


def test_save_of_many_is_a_contact_sheet_best_first(photos, model, tmp_path):
    """Where the crops lie is found by correlation: the first photo on top, below it the others by falling score."""
    names = ["small.jpg", "nobody.png", "large.png", "pair.png"]
    line = ["compare", *(photos / name for name in names), "-m", model, "--save", tmp_path / "sheet.png"]
    assert run(*line).code == 0
    sheet = read_rgb(tmp_path / "sheet.png")
    made = Pipeline(str(model)).compare_many([photos / name for name in names]).comparisons
    ranked = sorted(made, key=lambda one: -one.score)
    places = [_place(sheet, view.crops[0]) for view in (made[0].views[0], *(one.views[1] for one in ranked))]
    assert places[0][1] < places[1][1] == places[2][1] and places[0][0] == places[1][0] < places[2][0]
    assert run(*line, "--all-pairs", "--overwrite").code == 0
    assert read_rgb(tmp_path / "sheet.png").shape[0] == pytest.approx(3 * sheet.shape[0], rel=0.02)


def _place(sheet, crop):
    """(left, top) of a crop on a sheet, where every pixel of it is four."""
    large = cv2.resize(crop, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    error = cv2.matchTemplate(sheet, large, cv2.TM_SQDIFF)
    assert error.min() < 1e-6 * error.max()
    top, left = np.unravel_index(error.argmin(), error.shape)
    return int(left), int(top)


def test_save_to_a_format_that_cannot_be_written(photos, model, tmp_path):
    words = "compare", photos / "large.png", photos / "small.jpg", "--save", tmp_path / "a.xyz"
    line = refused(*words, "-m", model)
    assert "cannot write .xyz; the name must end in .jpg" in line
    assert list(tmp_path.iterdir()) == []
    # Nothing was done for it: there is no such model.
    line = refused(*words, "-m", "no-such-model")
    assert "cannot write .xyz" in line


@pytest.fixture(scope="module")
def sure_model(tmp_path_factory):
    """A model with kappa, whose reference faces all have κ between 1 and 2."""
    return tiny_model(tmp_path_factory.mktemp("models") / "sure", "compact", (1.0, 1.5, 2.0))


def with_reference(folder, low, high):
    """The same model, but for the κ that is usual."""
    card = read_card(folder / "card.toml")
    section = replace(card.uncertainty, quantiles=(low, high))
    path = folder / f"{low:g}-{high:g}.toml"
    save_card(replace(card, uncertainty=section), path)
    return path


def test_scores_with_uncertainty(photos, sure_model, tmp_path):
    words = ["compare", photos / "large.png", photos / "small.jpg", "--json", "--precision", "float32"]
    answer = run(*words, "-m", sure_model, "--score", "scf").json
    run("embed", photos / "large.png", photos / "small.jpg", "-m", sure_model, "-o", tmp_path / "e.parquet")
    embeddings = load_embeddings(tmp_path / "e.parquet")
    assert answer["score"] == pytest.approx(score_pairs("scf", embeddings, [0], [1])[0], abs=1e-3)
    assert (answer["kind"], answer["threshold"]) == ("scf", -40.0)
    assert [image["kappa"] for image in answer["images"]] == pytest.approx(embeddings.kappa.tolist(), rel=1e-4)
    assert run(*words, "-m", sure_model).json["kind"] == "cosine"
    sigma = tiny_model(tmp_path / "sigma", "pfe")
    mls = run(*words, "-m", sigma, "--score", "mls").json
    assert mls["kind"] == "mls" and mls["images"][0]["sigma2"] > 0 and mls["images"][0]["surer_than"] is None
    text = run(*words[:3], "-m", sure_model, "--score", "scf").out
    assert text.startswith(("same person: scf score", "not shown to be the same person: scf score"))
    assert "more confident than for" in text


def test_a_score_that_the_model_has_not(photos, model, sure_model):
    words = ["compare", photos / "large.png", photos / "small.jpg", "--json", "--precision", "float32"]
    told = refused(*words, "-m", model, "--score", "scf")
    assert "has no kappa head, which --score scf needs; train one with 'facepipe train scf-small'" in told
    assert "has no sigma2 head, which --score mls needs" in refused(*words, "-m", sure_model, "--score", "mls")


def test_a_face_of_low_kappa_is_warned_of(photos, sure_model):
    """First the reference lies far below both faces, then far above them, then around the first."""
    words = ["compare", photos / "large.png", photos / "small.jpg"]
    kappa = [image["kappa"] for image in run(*words, "-m", sure_model, "--json").json["images"]]
    for low, high, unsure in [(0, 0.5 * min(kappa), ()), (2 * max(kappa), 3 * max(kappa), (1, 2))]:
        card = with_reference(sure_model, low, high)
        ended = run(*words, "-m", card)
        told = "is blurred or turned away: the answer is uncertain"
        warned = [f"face {number} {told}" in ended.out for number in (1, 2)]
        assert warned == [number in unsure for number in (1, 2)]
        assert "confidence compared with: nobody" in ended.out
        images = run(*words, "-m", card, "--json").json["images"]
        assert [image["unsure"] for image in images] == warned
        assert [image["surer_than"] for image in images] == [0.0 if unsure else 1.0] * 2
    half = with_reference(sure_model, 0, 2 * kappa[0])
    for factor, unsure in ((2, False), (1 / 0.06, False), (1 / 0.04, True)):
        card = with_reference(sure_model, 0, factor * kappa[0])
        first, _ = run(*words, "-m", card, "--json").json["images"]
        assert first["surer_than"] == pytest.approx(1 / factor, abs=1e-3) and first["unsure"] is unsure
    assert "more confident than for 50 % of faces" in run(*words, "-m", half).out


@pytest.fixture(scope="module")
def two_populations(tmp_path_factory):
    """A model with thresholds of both populations, looser than any score, and one that is sure of nothing."""
    folder = tiny_model(tmp_path_factory.mktemp("models") / "both")
    card = read_card(folder / "card.toml")
    thresholds = [
        Threshold(far=far, value=value, population=population, calibrated_on=f"{population} pairs")
        for far, value, population in [(1e-3, -2.0, "random"), (1e-1, -3.0, "alike"), (1e-3, -1.0, "alike")]
    ]
    save_card(replace(card, thresholds=tuple(thresholds)), folder / "card.toml")
    return folder


def test_both_populations_are_told_and_either_decides(photos, two_populations):
    words = ["compare", photos / "large.png", photos / "small.jpg", "-m", two_populations]
    both = "1 in 1,000 among people at random, 1 in 100 among people who are alike"
    assert both in run(*words).out and "alike: alike pairs" in run(*words).out
    answer = run(*words, "--json").json
    assert answer["false_matches"]["alike"]["rate"] == pytest.approx(1e-2)
    strict = run(*words, "--among", "alike", "--json").json
    assert (strict["threshold"], strict["among"], strict["calibrated_on"]) == (-1.0, "alike", "alike pairs")
    assert strict["false_matches"]["random"] == {"rate": 1e-3, "bound": "at most", "measured_on": "random pairs"}
    assert " at FAR 0.001 among people who are alike" in run(*words, "--among", "alike").out.splitlines()[0]
    told = refused(*words, "--among", "alike", "--far", 1e-4)
    assert "among people who are alike at FAR 0.0001; it has FAR 0.1, 0.001" in told
    assert "needs more pairs than the strictest had (alike pairs)" in told


def test_without_thresholds_the_command_that_makes_some_is_named(photos, model):
    words = ["compare", photos / "large.png", photos / "small.jpg", "-m", model]
    assert "'facepipe calibrate tiny CROPS -o tiny.toml'" in refused(*words, "--among", "alike")


@pytest.mark.parametrize(
    ("same", "probability", "said"),
    [(True, None, "same"), (True, 0.5, "same"), (True, 0.49, "doubtful"),
     (False, None, "not shown"), (False, 0.91, "not shown"), (False, 0.11, "not shown"), (False, 0.1, "different")],
)  # fmt: skip
def test_threshold_and_probability_say_one_thing(same, probability, said):
    assert verdict(same, probability) == said


def test_words_beside_a_probability(photos, two_populations):
    """The same score above and below the threshold, beside probabilities near 1 and near 0."""
    card = read_card(two_populations / "card.toml")
    words = ["compare", photos / "large.png", photos / "small.jpg", "-m", two_populations / "told.toml"]
    for offset, threshold, start in [
        (9.0, -1, "same person: score"), (9.0, 2, "not shown to be the same person: score"),
        (-9.0, 2, "different people: score"), (-9.0, -1, "passes the threshold, but more probably two people than one"),
    ]:  # fmt: skip
        curve = Probability(slope=1e-3, offset=offset, fitted_on="nobody")
        save_card(replace(card, probabilities=(curve,)), two_populations / "told.toml")
        assert run(*words, "--threshold", threshold).out.startswith(start)
