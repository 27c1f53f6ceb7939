"""Confidences on one scale, pairs with damaged copies, and what is reported of them."""

import math

import cv2
import numpy as np
import pytest

from facepipe.alignment import Aligner
from facepipe.datasets.damage import apply, damage_of
from facepipe.datasets.pairs.lfw_pairs import Pairs
from facepipe.detection import Faces
from facepipe.embedding import Embeddings
from facepipe.errors import DatasetError, EmbeddingsError
from facepipe.images import write_rgb
from facepipe.pipeline import Cropper, read_batches
from facepipe.protocols.risk.damaged import DamagedCropper, mix_damaged, name_copies, original, require_copies
from facepipe.protocols.risk.error_reject import error_reject
from facepipe.protocols.risk.risk_controlled import available_confidences, evaluate_risk
from facepipe.protocols.risk.table import risk_table
from facepipe.protocols.risk.uncertainty import CONFIDENCES, pair_uncertainty, uncertainty
from facepipe.score import cosine

RNG = np.random.default_rng(0)


def embeddings(count=40, **changes):
    fields = {
        "mu": RNG.normal(size=(count, 3)).astype(np.float32),
        "model": "m@1",
        "paths": tuple(f"/data/P{i}/P{i}_0001.jpg" for i in range(count)),
        "kappa": RNG.uniform(10, 500, count).astype(np.float32),
        "sigma2": RNG.uniform(0.1, 2, (count, 3)).astype(np.float32),
        "trained_dim": 3,
        "detection_score": RNG.uniform(0.9, 1, count).astype(np.float32),
    }
    return Embeddings(**{**fields, **changes})


def test_each_confidence_longhand():
    e = embeddings()
    e.detection_score[4] = np.nan
    for i in range(len(e)):
        assert uncertainty("kappa", e)[i] == -e.kappa[i]
        harmonic = 3 / math.fsum(1 / float(s) for s in e.sigma2[i])
        assert uncertainty("sigma2", e)[i] == pytest.approx(harmonic, rel=1e-6)
        assert uncertainty("norm", e)[i] == pytest.approx(-math.sqrt(math.fsum(float(x) ** 2 for x in e.mu[i])))
        assert uncertainty("detection_score", e)[i] == (0 if i == 4 else -e.detection_score[i])
    scalar = embeddings(sigma2=np.full((40, 1), 0.3, np.float32))
    assert uncertainty("sigma2", scalar) == pytest.approx(0.3)
    random = uncertainty("random", e, 3)
    assert (random == uncertainty("random", e, 3)).all() and (random != uncertainty("random", e, 4)).all()
    assert ((random >= 0) & (random < 1)).all()


def test_pair_rules():
    values, left, right = np.array([1.0, 5, -2]), np.array([0, 1, 2]), np.array([1, 1, 0])
    assert pair_uncertainty(values, left, right).tolist() == [5, 5, 1]
    assert pair_uncertainty(values, left, right, "sum").tolist() == [6, 10, -1]
    # The worse face decides: of confidences that is the smaller.
    kappa = np.array([100.0, 20, 60])
    assert (-pair_uncertainty(-kappa, left, right)).tolist() == [20, 20, 60]
    with pytest.raises(DatasetError, match="pair rule 'min' is unknown"):
        pair_uncertainty(values, left, right, "min")


def test_what_is_missing_is_said():
    bare = embeddings(kappa=None, sigma2=None, detection_score=None, trained_dim=0)
    for name, text in (("kappa", "kappa head"), ("sigma2", "PFE or ProbFace"), ("detection_score", "raw photos")):
        with pytest.raises(EmbeddingsError, match=f"m@1 have no {name}.*{text}"):
            uncertainty(name, bare)
    with pytest.raises(DatasetError, match="confidence 'luck' is unknown"):
        uncertainty("luck", bare)
    e = embeddings()
    e.kappa[7] = np.nan
    with pytest.raises(EmbeddingsError, match=r"P7_0001\.jpg: its kappa is not finite"):
        uncertainty("kappa", e)
    with pytest.raises(EmbeddingsError, match="no face was detected in any image"):
        uncertainty("detection_score", embeddings(detection_score=np.full(40, np.nan, np.float32)))
    assert available_confidences(bare) == ("norm", "random") and available_confidences(embeddings()) == CONFIDENCES


def pairs_of(count=40, number=400, folds=10):
    left, right = RNG.integers(0, count, (2, number))
    names = tuple(f"P{i}/P{i}_0001" for i in range(count))
    return Pairs(names, left, right, np.arange(number) % 2 == 0, np.arange(number) * folds // number)


def test_evaluate():
    e, pairs = embeddings(), pairs_of()
    result = evaluate_risk(e, pairs, ("kappa", "random"), fmr=0.05, seed=2)
    score = cosine(e.mu[pairs.left], e.mu[pairs.right])
    doubt = np.maximum(-e.kappa[pairs.left], -e.kappa[pairs.right]).astype(np.float64)
    for row, expected in zip(result.to_dict()["table"]["kappa"], risk_table(score, pairs.same, doubt), strict=True):
        assert row == pytest.approx(vars(expected))
    curves = result.curves
    assert list(curves) == ["kappa", "random", "ideal"]
    assert curves["kappa"].fnmr == error_reject(score, pairs.same, doubt, 0.05).fnmr
    assert result.to_dict()["relative_area"]["ideal"] == 0
    assert result.settings["score"] == "cosine" and result.settings["pair_rule"] == "max"
    told = result.to_dict()
    assert told["protocol"] == "risk" and told["pairs"] == 400 and told["genuine"] == 200 and told["images"] == 40
    import json

    assert json.loads(json.dumps(told)) == told


def test_rows_are_found_by_name_and_all_confidences_are_taken():
    e, pairs = embeddings(), pairs_of()
    order = RNG.permutation(40)
    there, back = evaluate_risk(e, pairs, fmr=0.05), evaluate_risk(e.take(order), pairs, fmr=0.05)
    assert list(there.to_dict()["table"]) == list(CONFIDENCES)
    assert there.to_dict() == back.to_dict()
    with pytest.raises(DatasetError, match=r"P3/P3_0001: not in the embeddings \(1 of 40"):
        evaluate_risk(e.take(np.arange(40) != 3), pairs)


def test_other_scores_and_rules():
    e, pairs = embeddings(), pairs_of()
    by_mls = evaluate_risk(e, pairs, ("sigma2",), "mls", "sum", 0.05)
    assert by_mls.to_dict()["curves"]["sigma2"]["threshold"] < 0
    assert by_mls.to_dict() != evaluate_risk(e, pairs, ("sigma2",), "cosine", "sum", 0.05).to_dict()


def test_mixing_damaged_copies():
    pairs = pairs_of(number=600)
    both = mix_damaged(pairs)
    assert len(both) == 1200 and both.folds == 10 and (np.diff(both.fold) >= 0).all()
    told = [(both.names[a], both.names[b], s, f) for a, b, s, f in zip(
        both.left, both.right, both.same, both.fold, strict=True)]
    clean = [(pairs.names[a], pairs.names[b], s, f) for a, b, s, f in zip(
        pairs.left, pairs.right, pairs.same, pairs.fold, strict=True)]
    assert [pair for pair in told if "#" not in pair[0] + pair[1]] == clean
    damaged = [pair for pair in told if "#" in pair[0] + pair[1]]
    assert [tuple(part.replace("#standard", "") if isinstance(part, str) else part for part in pair)
            for pair in damaged] == clean
    sides = [("#" in a, "#" in b) for a, b, _, _ in damaged]
    assert min(map(sides.count, ((True, False), (False, True)))) > 200 and (True, True) not in sides
    again = mix_damaged(pairs)
    assert again.names == both.names and (again.left == both.left).all() and (again.right == both.right).all()
    assert set(both.names) == {both.names[i] for i in [*both.left, *both.right]}


@pytest.fixture
def photos(tmp_path, astronaut):
    files = []
    for number in range(3):
        file = tmp_path / "Ann" / f"Ann_{number:04d}.png"
        write_rgb(file, cv2.resize(astronaut[:300, 80:380], (112, 112)) // (number + 1))
        files.append(file)
    return files


def test_damaged_cropper(photos, tmp_path):
    (tmp_path / "Ann" / "bad.png").write_bytes(b"no image")
    batch = next(read_batches([*photos, tmp_path / "Ann" / "bad.png"]))
    plain = Cropper(Aligner("112x96"), None)
    for image, clean in zip(DamagedCropper(plain)(batch), plain(batch), strict=True):
        if clean.status == "error":
            assert (image.status, image.reason, image.crops) == (clean.status, clean.reason, ())
            continue
        assert (image.crops[0] == clean.crops[0]).all() and image.status == clean.status
        fault = damage_of(f"Ann/{image.path.stem}")
        assert (image.crops[1] == apply(clean.crops[0], fault)).all()
        assert len(image.chosen) == 0


def test_both_crops_are_scored_in_one_way(photos):
    seen = []

    def scorer(images):
        seen.extend(images)
        found = [Faces(np.zeros((k, 4), np.float32), np.linspace(0.5, 0.9, k), np.zeros((k, 5, 2))) for k in (0, 1, 2)]
        return [found[number % 3] for number in range(len(images))]

    images = DamagedCropper(Cropper(Aligner("112x96"), None), scorer=scorer)(next(read_batches(photos)))
    assert [image.faces.scores[image.chosen].tolist() for image in images] == [
        pytest.approx(scores) for scores in ([0, 0.5], [0.9, 0], [0.5, 0.9])
    ]
    assert [image.shape for image in seen] == [(224, 192, 3)] * 6
    assert (seen[2][56:168, 48:144] == images[1].crops[0]).all() and not seen[2][:56].any()


def test_paths_of_copies():
    e = embeddings(4, paths=("/d/A/A_1.jpg", "/d/A/A_1.jpg#1", "x.y/B.PNG#1", "bare#1"))
    named = name_copies(e)
    assert named.paths == ("/d/A/A_1.jpg", "/d/A/A_1#standard.jpg", "x.y/B#standard.PNG", "bare#standard.jpg")
    assert original(named.paths[1]) == "/d/A/A_1.jpg"
    require_copies(named, "f.parquet")
    with pytest.raises(DatasetError, match=r"f\.parquet: contains no damaged copies; give the"):
        require_copies(embeddings(), "f.parquet")
