"""``facepipe cluster``: groups against scikit-learn's own scores of them, and contact sheets."""

import cv2
import numpy as np
import pytest
from cli_run import refused, run, tiny_model

from facepipe.embedding import Embeddings, save_embeddings
from facepipe.errors import FacepipeError
from facepipe.images import read_rgb, write_rgb
from facepipe.score.cluster import METHODS, cluster


def people(seed=0, spread=0.12):
    """Nine, six and four faces of three people, and five of five others, shuffled."""
    rng = np.random.default_rng(seed)
    who = rng.permutation(np.repeat(np.arange(8), [9, 6, 4, 1, 1, 1, 1, 1]))
    return rng.normal(size=(8, 32))[who] + spread * rng.normal(size=(len(who), 32)), who


@pytest.mark.parametrize("method", METHODS)
def test_people_are_found(method):
    from sklearn.metrics import adjusted_rand_score

    mu, who = people()
    groups = cluster(mu * 20, method, 0.6)
    grouped = who < 3
    assert adjusted_rand_score(who[grouped], groups[grouped]) == 1
    if method != "hdbscan":  # which lets a stranger in
        assert [int((groups == number).sum()) for number in range(3)] == [9, 6, 4], "from the largest on"
        assert (groups[~grouped] == -1).all()


@pytest.mark.parametrize("method", ["average", "dbscan"])
def test_the_cosine_decides(method):
    """Two faces 60° apart: one person at a cosine of 0.49, two at 0.51."""
    mu = np.array([[1, 0], [0.5, 3**0.5 / 2]])
    assert cluster(mu, method, 0.49).tolist() == [0, 0]
    assert cluster(mu, method, 0.51).tolist() == [-1, -1]
    assert cluster(mu, method, 0.51, smallest=1).max() >= 0 or method == "dbscan"


def test_small_groups_are_dissolved():
    mu, who = people()
    assert sorted(set(who[cluster(mu, "average", 0.6, smallest=6) >= 0])) == [0, 1]


def test_few_faces():
    assert cluster(np.zeros((0, 4)), "average", 0.5).tolist() == []
    assert cluster(np.ones((1, 4)), "hdbscan", 0.5).tolist() == [-1]
    assert cluster(np.ones((1, 4)), "average", 0.5, smallest=1).tolist() == [0]


def test_what_cannot_be_clustered(monkeypatch):
    with pytest.raises(FacepipeError, match="method 'magic' is unknown"):
        cluster(np.ones((2, 2)), "magic", 0.5)
    with pytest.raises(FacepipeError, match="NaN or infinite values"):
        cluster(np.full((2, 2), np.nan), "average", 0.5)
    monkeypatch.setattr("facepipe.score.cluster._MOST", 1)
    with pytest.raises(FacepipeError, match="2 faces are too many for method average"):
        cluster(np.ones((2, 2)), "average", 0.5)


def test_lines(tmp_path):
    mu, who = people()
    paths = tuple(f"{number}/{row}.jpg" for row, number in enumerate(who))
    save_embeddings(tmp_path / "s.parquet", Embeddings(mu.astype(np.float32), "net@0", paths=paths))
    ended = run("cluster", tmp_path / "s.parquet", "--threshold", 0.6, "--json")
    assert ended.code == 0 and "24 faces: 3 groups by average, 5 faces in none" in ended.err
    groups = [line["group"] for line in ended.lines]
    assert groups == [0] * 9 + [1] * 6 + [2] * 4 + [-1] * 5
    assert all(line["path"].startswith(f"{line['group']}/") for line in ended.lines if line["group"] >= 0)
    assert run("cluster", tmp_path / "s.parquet", "--threshold", 0.6).out.startswith("0\t0/")
    told = refused("cluster", tmp_path / "s.parquet")
    assert "made by net@0, for which no threshold is known; give --threshold" in told


def test_contact_sheets(tmp_path, astronaut):
    model = tiny_model(tmp_path / "tiny")
    face = cv2.resize(astronaut[:300, 80:380], (120, 120), interpolation=cv2.INTER_AREA)
    write_rgb(tmp_path / "in" / "one.png", face)
    write_rgb(tmp_path / "in" / "two.png", np.concatenate([face, face], 1))
    store = tmp_path / "s.parquet"
    assert run("embed", tmp_path / "in", "-o", store, "-m", model, "--faces", "all").code == 0
    ended = run("cluster", store, "--threshold", 0.5, "--sheets", tmp_path / "sheets", "--json")
    assert [line["group"] for line in ended.lines] == [0, 0, 0]
    assert {line["path"] for line in ended.lines} == {
        str(tmp_path / "in" / name) for name in ("one.png", "two.png", "two.png#1")
    }
    assert [path.name for path in (tmp_path / "sheets").iterdir()] == ["group-0000.jpg"]
    sheet = read_rgb(tmp_path / "sheets" / "group-0000.jpg")
    assert sheet.shape[1] > 3 * 112 and sheet.shape[0] > 112
    assert ended.err.splitlines()[-1] == f"contact sheets: {tmp_path / 'sheets'}"
    (tmp_path / "in" / "one.png").unlink()
    ended = run("cluster", store, "--threshold", 0.5, "--sheets", tmp_path / "sheets", "--overwrite")
    assert "1 photo not found or without a face" in ended.err
