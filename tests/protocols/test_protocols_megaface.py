"""MegaFace: its files, and its figures against a loop over searches."""

import json
import struct

import numpy as np
import pytest

from facepipe.datasets.templates import megaface_features as files
from facepipe.embedding import Embeddings, join
from facepipe.errors import DatasetError, EmbeddingsError
from facepipe.protocols.megaface.noise import on_list, replace_noisy_probes
from facepipe.protocols.megaface.photos import clean_probes, evaluate_megaface, photos_of_embeddings
from facepipe.protocols.megaface.protocol import megaface_figures
from facepipe.protocols.result import plain
from facepipe.protocols.roc import tar_at_far
from facepipe.score.pairs import score_pairs


def test_feature_files(tmp_path):
    path = tmp_path / "Ann" / "1.png_x.bin"
    files.write_feature(path, np.array([1.5, -2, 3]))
    assert path.read_bytes() == struct.pack("<4i3f", 3, 1, 4, 5, 1.5, -2, 3)
    assert files.read_feature(path).tolist() == [1.5, -2, 3]
    files.write_feature(tmp_path / "Ann" / "2.png_x.bin", np.zeros(3))
    names = files.list_features(tmp_path, "_x.bin")
    assert names == ["Ann/1.png", "Ann/2.png"]
    assert files.read_features(tmp_path, names, "_x.bin").tolist() == [[1.5, -2, 3], [0, 0, 0]]
    assert [len(block) for block in files.feature_blocks(tmp_path, [*names, names[0]], "_x.bin", 2)] == [2, 1]


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", "0 bytes are too short"),
        (struct.pack("<4i1f", 1, 1, 4, 6, 1), "not an OpenCV matrix of float32"),
        (struct.pack("<4i1f", 2, 1, 4, 5, 1), "not an OpenCV matrix"),
        (struct.pack("<4i", 0, 1, 4, 5), "not an OpenCV matrix"),
        (struct.pack("<4i1f", -1, 1, 4, 5, 1), "not an OpenCV matrix"),
    ],
)
def test_damaged_feature_files(tmp_path, data, match):
    (tmp_path / "a.bin").write_bytes(data)
    with pytest.raises(DatasetError, match=match):
        files.read_feature(tmp_path / "a.bin")


def test_missing_or_unequal_feature_files(tmp_path):
    with pytest.raises(DatasetError, match="no such feature file"):
        files.read_feature(tmp_path / "a.bin")
    with pytest.raises(DatasetError, match=r"no feature files with suffix _x\.bin"):
        files.list_features(tmp_path, "_x.bin")
    files.write_feature(tmp_path / "a.bin", np.ones(2))
    files.write_feature(tmp_path / "b.bin", np.ones(3))
    with pytest.raises(DatasetError, match=r"b\.bin: 3 values, but the first file has 2"):
        files.read_features(tmp_path, ["a", "b"], ".bin")


def test_lists(tmp_path):
    (tmp_path / "kit.json").write_text(json.dumps({"id": ["Ann", "Ann"], "path": ["Ann/1.png", "Ann/2.png"]}))
    (tmp_path / "plain.txt").write_text("Ann/1.png\r\n\nAnn/2.png\n")
    for name in ("kit.json", "plain.txt"):
        assert files.read_list(tmp_path / name) == ["Ann/1.png", "Ann/2.png"]
    (tmp_path / "noise.txt").write_text("# remark\nAnn_1.png\n7\t1/2/3.jpg\n\n")
    assert files.read_noises(tmp_path / "noise.txt") == {"Ann_1.png", "1/2/3.jpg"}
    (tmp_path / "kit.json").write_text('{"id": []}')
    with pytest.raises(DatasetError, match="it has no 'path'"):
        files.read_list(tmp_path / "kit.json")
    (tmp_path / "plain.txt").write_text("\n")
    with pytest.raises(DatasetError, match="no photos in the list"):
        files.read_list(tmp_path / "plain.txt")
    with pytest.raises(DatasetError, match="no such list"):
        files.read_noises(tmp_path / "gone.txt")


def test_extra_coordinate():
    features = np.array([[1.0, 2], [3, 4]], np.float32)
    marked = files.with_noise(features, np.array([False, True]))
    assert marked.tolist() == [[1, 2, 0], [3, 4, 100]]
    back, noisy = files.split_noise(marked)
    assert back.tolist() == features.tolist() and noisy.tolist() == [False, True]
    assert files.has_noise_coordinate(marked) and not files.has_noise_coordinate(features)
    assert not files.has_noise_coordinate(marked[:, 2:])


def longhand(probes, person, distractors, rank):
    """Every photo searched for by every other one of its person."""
    unit = [row / np.linalg.norm(row) for row in np.asarray(probes, float)]
    others = [row / np.linalg.norm(row) for row in np.asarray(distractors, float)]
    right, genuine = [], []
    for i in range(len(unit)):
        for j in range(len(unit)):
            if i != j and person[i] == person[j]:
                score = unit[i] @ unit[j]
                right.append(1 + sum(unit[i] @ other >= score for other in others) <= rank)
                genuine += [score] if i < j else []
    return np.mean(right), np.array(genuine), np.array([a @ b for a in unit for b in others])


@pytest.mark.parametrize("block", [1, 7, 100])
def test_figures(block):
    rng = np.random.default_rng(0)
    person = np.array([1, 1, 1, 2, 2, 3, 1, 2])
    probes = rng.normal(size=(4, 5))[person] + 0.4 * rng.normal(size=(8, 5))
    distractors = rng.normal(size=(100, 5))
    noise = rng.random(100) < 0.1
    parts = (slice(first, first + block) for first in range(0, 100, block))
    blocks = ((features(distractors[part]), noise[part]) for part in parts)
    rates = {"ranks": (1, 2, 3), "fars": (0.1, 0.01, 1e-3)}
    told = plain(megaface_figures(features(probes), person, blocks, (1, 10, 60), **rates))
    assert [row["distractors"] for row in told["sizes"]] == [1, 10, 60]
    assert (told["probes"], told["people"], told["genuine"]) == (8, 3, 9)
    for row in told["sizes"]:
        used = distractors[: row["distractors"]][~noise[: row["distractors"]]]
        assert row["noise"] == row["distractors"] - len(used)
        for k, share in row["cmc"].items():
            assert share == pytest.approx(longhand(probes, person, used, int(k))[0])
        _, genuine, impostor = longhand(probes, person, used, 1)
        for got, expected in zip(row["tar"], tar_at_far(genuine, impostor, (0.1, 0.01, 1e-3)), strict=True):
            assert got["tar"] == expected.tar and got["reason"] == expected.reason
            assert (got["low"], got["high"]) == (expected.low, expected.high)
            assert got["threshold"] == (None if expected.tar is None else pytest.approx(expected.threshold, abs=1e-6))


def features(mu):
    return Embeddings(np.asarray(mu, np.float32), "m@1")


def clean(mu):
    return [(features(mu), np.zeros(len(mu), bool))]


def test_a_tie_with_a_distractor_is_no_recognition():
    probes, others = features(np.eye(2)[[0, 0]]), clean(np.eye(2)[[0, 1]])
    told = plain(megaface_figures(probes, np.array([1, 1]), others, (2,), fars=(0.5,)))
    assert told["sizes"][0]["cmc"] == {"1": 0.0, "10": 1.0}


@pytest.mark.parametrize("dim", [16, 64, 128, 500])
def test_a_copy_of_the_mate_among_the_distractors_is_ahead(dim):
    """Whatever way and order in which a product is summed, equal photos have equal scores."""
    rng = np.random.default_rng(dim)
    person = np.arange(40) // 2
    probes = rng.normal(size=(20, dim))[person] + 0.01 * rng.normal(size=(40, dim))
    # Of every second photo: ahead of it when the other searches for it, and of the other when it searches itself.
    told = plain(megaface_figures(features(probes), person, clean(probes[1::2]), (20,), ranks=(1, 2), fars=(0.5,)))
    assert told["sizes"][0]["cmc"] == {"1": 0.0, "2": 1.0}


def unsure(count, seed):
    rng = np.random.default_rng(seed)
    return Embeddings(
        rng.normal(size=(count, 6)).astype(np.float32),
        "m@1",
        paths=tuple(f"P{number // 3}/{number}.jpg" for number in range(count)),
        kappa=rng.uniform(50, 500, count).astype(np.float32),
        sigma2=rng.uniform(0.1, 1, (count, 1)).astype(np.float32),
        trained_dim=6,
    )


@pytest.mark.slow
@pytest.mark.parametrize("score", ["scf", "mls"])
def test_other_scores(score):
    """Against every pair scored by itself."""
    probes, distractors = unsure(9, 0), unsure(40, 1)
    told = evaluate_megaface(
        photos_of_embeddings(probes), photos_of_embeddings(distractors), (), [40], [0.1], [1, 2], score=score
    )
    both = join([probes, distractors])

    def one(a, b):
        return score_pairs(score, both, np.array([a]), np.array([b]))[0]

    ahead = [
        sum(one(a, 9 + d) >= one(a, b) for d in range(40))
        for a in range(9)
        for b in range(9)
        if a != b and a // 3 == b // 3
    ]
    for rank in (1, 2):
        assert told.to_dict()["cmc"][str(rank)] == np.mean([count < rank for count in ahead])
    impostor = np.array([one(a, 9 + d) for a in range(9) for d in range(40)])
    genuine = np.array([one(a, b) for a in range(9) for b in range(a) if a // 3 == b // 3])
    assert told.to_dict()["tar"][0]["tar"] == tar_at_far(genuine, impostor, [0.1])[0].tar
    assert told.settings["score"] == score and len(told.settings["data"]) == 16


def test_a_centre_has_no_confidence():
    photos, others = photos_of_embeddings(unsure(9, 0)), photos_of_embeddings(unsure(20, 1))
    centred = clean_probes(photos, {"1.jpg"}, "centre")
    assert evaluate_megaface(centred, others).settings["noisy_probes"] == "1 by centre"
    with pytest.raises(DatasetError, match="use noisy_probes='drop'"):
        evaluate_megaface(centred, others, score="scf")
    assert evaluate_megaface(clean_probes(photos, {"1.jpg"}, "drop"), others, score="scf").to_dict()["probes"] == 8


def test_the_hash_is_of_what_was_searched():
    photos, others = photos_of_embeddings(unsure(9, 0)), photos_of_embeddings(unsure(20, 1))
    told = evaluate_megaface(photos, others).settings["data"]
    moved = photos_of_embeddings(unsure(9, 5).with_paths([f"/else/where/{path}" for path in unsure(9, 5).paths]))
    assert evaluate_megaface(moved, others).settings["data"] == told
    assert evaluate_megaface(photos, others, sizes=[10]).settings["data"] != told
    assert evaluate_megaface(photos, others, {"a/b/3.jpg"}).settings["data"] != told


def test_what_cannot_be_measured():
    some = np.random.default_rng(0).normal(size=(4, 3))
    probes = features(some)
    with pytest.raises(DatasetError, match="no person has two photos"):
        megaface_figures(probes, np.arange(4), clean(some), (4,))
    with pytest.raises(DatasetError, match="4 distractors, fewer than the requested 5"):
        megaface_figures(probes, np.array([1, 1, 2, 2]), clean(some), (5,))
    with pytest.raises(DatasetError, match="probes have 3 dimensions, distractors 2"):
        megaface_figures(probes, np.array([1, 1, 2, 2]), clean(some[:, :2]), (4,))
    with pytest.raises(EmbeddingsError, match=r"finite"):
        megaface_figures(probes, np.array([1, 1, 2, 2]), clean(some * np.nan), (4,))
    with pytest.raises(EmbeddingsError, match=r"score is not finite"):
        megaface_figures(features(some * np.nan), np.array([1, 1, 2, 2]), clean(some), (4,))


def test_names():
    names = ["x/Ann/Ann_1.png", "x/Bo/Bo_1.JPG", "x/Ann/Ann_2.png"]
    assert on_list(names, {"Bo_1.png", "x"}, 1).tolist() == [False, True, False]
    assert on_list(names, {"x/Ann/Ann_2.png"}, 3).tolist() == [False, False, True]


def test_who_is_on_a_probe():
    """By the folder below the one that was given, or below the one that all have in common."""

    def probes(names, depth=1, roots=()):
        known = Embeddings(np.eye(len(names), dtype=np.float32), "m", paths=tuple(names), roots=roots)
        return photos_of_embeddings(known, identity_depth=depth)

    poses = ["x/Ann/left/1.png", "x/Bo/left/1.JPG", "x/Ann/right/2.png"]
    assert probes(poses).person().tolist() == [0, 1, 0]
    assert probes(poses, 2, ("x",)).person().tolist() == [0, 0, 1]
    assert "identity_depth=2" in probes([f"x/{n}/a.png" for n in "abc"], 1, (".",)).remark
    with pytest.raises(DatasetError, match=r"photo\.png: not in a folder"):
        probes(["a/b.png", "photo.png"], roots=(".",)).person()


def test_noisy_probes():
    features = np.array([[1.0, 0], [0, 2], [5, 5], [3, 0]])
    person, noisy = np.array([1, 1, 1, 2]), np.array([False, False, True, False])
    clean = replace_noisy_probes(features, person, noisy, seed=1)
    np.testing.assert_array_equal(clean[~noisy], features[~noisy])
    np.testing.assert_allclose(clean[2], np.array([1, 1]) / np.sqrt(2), atol=2e-3)
    assert not np.allclose(clean[2], np.array([1, 1]) / np.sqrt(2), atol=1e-9)
    assert np.linalg.norm(clean[2]) == pytest.approx(1, abs=1e-6)
    with pytest.raises(DatasetError, match="all photos of a person"):
        replace_noisy_probes(features, person, np.array([True, True, True, False]))
