"""YouTube Faces: which frames count for a video, and that pooling and scores are those of the rooms that own them."""

import numpy as np
import pytest

from facepipe.datasets.pairs.lfw_pairs import make_pairs
from facepipe.embedding import Embeddings
from facepipe.errors import DatasetError, EmbeddingsError
from facepipe.protocols import evaluate_pairs
from facepipe.protocols.result import plain
from facepipe.protocols.verification.ytf import evaluate_ytf

VIDEOS = [f"{person}/{number}" for person in ("Ann", "J.R._Bo", "Cy", "Di") for number in (0, 3)]


@pytest.fixture
def pairs():
    rows = []
    for fold in range(2):
        for k in range(4):
            rows.append((VIDEOS[2 * k], VIDEOS[2 * k + 1], True, fold))
            rows.append((VIDEOS[2 * k], VIDEOS[(2 * k + 2 + fold) % 8], False, fold))
    return make_pairs(rows)


def frames(missed=(), extra=(), **changes):
    """Three frames of each video, in mixed order, below another folder."""
    rng = np.random.default_rng(2)
    paths = [f"/d/{video}/{video[-1]}.{k}.jpg" for k in (9, 10, 11) for video in VIDEOS] + list(extra)
    person = {name: rng.normal(size=5) for name in ("Ann", "J.R._Bo", "Cy", "Di")}
    mu = np.array([person.get(path.split("/")[2], 0) + 0.8 * rng.normal(size=5) for path in paths], np.float32)
    fields = {
        "paths": tuple(paths),
        "detected": np.array([path not in missed for path in paths]),
        "kappa": rng.uniform(10, 500, len(paths)).astype(np.float32),
        "trained_dim": 5,
    }
    return Embeddings(mu * 7, "m@1", **(fields | changes))


def pooled_longhand(embeddings, weights, skipped=()):
    mu = []
    for video in VIDEOS:
        rows = [i for i, path in enumerate(embeddings.paths) if f"/{video}/" in path and i not in skipped]
        units = [embeddings.mu[i].astype(float) / np.linalg.norm(embeddings.mu[i].astype(float)) for i in rows]
        mu.append(sum(weights[i] * unit for i, unit in zip(rows, units, strict=True)))
    return Embeddings(np.array(mu, np.float32), "m@1", paths=tuple(f"{video}.jpg" for video in VIDEOS))


@pytest.mark.parametrize("pooling", ["mean", "kappa"])
def test_frames_are_pooled(pairs, pooling):
    embeddings = frames()
    weights = np.ones(24) if pooling == "mean" else embeddings.kappa.astype(float)
    expected = evaluate_pairs(pooled_longhand(embeddings, weights), pairs)
    result = evaluate_ytf(embeddings, pairs, pooling)
    np.testing.assert_allclose(result.outcomes.scores, expected.outcomes.scores, rtol=1e-5)
    assert result.accuracy == expected.accuracy
    assert result.settings["pool"] == pooling and result.protocol == "ytf"
    told = {name: result.to_dict()[name] for name in ("videos", "frames", "frames_without_face", "undetected")}
    assert told == {"videos": 8, "frames": 24, "frames_without_face": 0, "undetected": 0}


def test_frames_without_a_face_are_left_out_unless_there_is_no_other(pairs):
    lost = ["/d/Ann/0/0.9.jpg", *(f"/d/Cy/3/3.{k}.jpg" for k in (9, 10, 11))]
    embeddings = frames(missed=lost)
    skipped = [embeddings.paths.index(lost[0])]
    expected = evaluate_pairs(pooled_longhand(embeddings, np.ones(24), skipped), pairs)
    result = evaluate_ytf(embeddings, pairs)
    np.testing.assert_allclose(result.outcomes.scores, expected.outcomes.scores, rtol=1e-5)
    told = {name: result.to_dict()[name] for name in ("frames", "frames_without_face", "undetected")}
    assert told == {"frames": 23, "frames_without_face": 1, "undetected": 1}
    assert evaluate_ytf(embeddings, pairs, on_miss="skip").to_dict()["pairs"] < len(pairs)
    with pytest.raises(DatasetError, match="Cy/3: no face found"):
        evaluate_ytf(embeddings, pairs, on_miss="fail")


def test_other_videos_and_second_faces_are_passed_over(pairs):
    more = ["/d/Ann/0/0.9.jpg#1", "/d/Zoe/1/1.1.jpg"]
    failed = (("/d/Ann/0/0.12.jpg", "damaged"), ("/d/Zoe/1/1.2.jpg", "damaged"))
    plain, mixed = frames(), frames(extra=more, failed=failed)
    mixed = Embeddings(
        np.concatenate([plain.mu, mixed.mu[-2:]]), "m@1", paths=mixed.paths, detected=mixed.detected, failed=failed
    )
    result = evaluate_ytf(mixed, pairs)
    np.testing.assert_array_equal(result.outcomes.scores, evaluate_ytf(plain, pairs).outcomes.scores)
    assert (result.to_dict()["frames"], result.to_dict()["frames_unreadable"]) == (24, 1)


def test_what_is_missing_is_named(pairs):
    embeddings = frames()
    kept = embeddings.take(np.array(["/J.R._Bo/3/" not in path for path in embeddings.paths]))
    with pytest.raises(DatasetError, match=r"^J\.R\._Bo/3: no frames of this video \(1 of 8 videos missing\)"):
        evaluate_ytf(kept, pairs)
    with pytest.raises(EmbeddingsError, match="sigma2"):
        evaluate_ytf(embeddings, pairs, "sigma2")


@pytest.mark.parametrize("pooling", ["sigma2", "sigma2-min", "sigma2-mean"])
def test_every_rule_by_variance(pairs, pooling):
    sigma2 = np.random.default_rng(4).uniform(0.1, 1, (24, 1)).astype(np.float32)
    embeddings = frames(sigma2=sigma2)
    expected = evaluate_pairs(pooled_longhand(embeddings, 1 / sigma2[:, 0].astype(float)), pairs)
    result = evaluate_ytf(embeddings, pairs, pooling)
    np.testing.assert_allclose(result.outcomes.scores, expected.outcomes.scores, rtol=1e-4, atol=1e-6)
    assert evaluate_ytf(embeddings, pairs, pooling, score="mls").settings["score"] == "mls"


def test_some_frames_of_saved_embeddings(pairs):
    """Two of three, whatever order they are in: the first and the last by their number, 9 and 11."""
    embeddings = frames()
    kept = [row for row, path in enumerate(embeddings.paths) if not path.endswith(".10.jpg")]
    few, expected = evaluate_ytf(embeddings, pairs, most=2), evaluate_ytf(embeddings.take(kept), pairs)
    assert few.tar == expected.tar and few.accuracy == expected.accuracy and few.frames == expected.frames == 16
    assert (few.settings["most_frames"], expected.settings["most_frames"]) == (2, None)
    assert plain(evaluate_ytf(embeddings, pairs, most=3)) == plain(evaluate_ytf(embeddings, pairs))
