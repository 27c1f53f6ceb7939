"""``facepipe search``: stores in memory, memory-mapped and approximate."""

import cv2
import numpy as np
import pytest
from cli_run import refused, run, tiny_model

from facepipe.embedding import Embeddings, iterate_embeddings, load_embeddings, save_embeddings
from facepipe.errors import EmbeddingsError
from facepipe.images import write_rgb
from facepipe.score import unit
from facepipe.score.search import top_k
from facepipe.score.store import export_store, open_store


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    rng = np.random.default_rng(0)
    people = rng.normal(size=(60, 16))
    mu = (np.repeat(people, 50, 0) + 0.2 * rng.normal(size=(3000, 16))).astype(np.float32) * 7
    path = tmp_path_factory.mktemp("store") / "s.parquet"
    paths = tuple(f"{row // 50}/{row}.jpg" for row in range(3000))
    save_embeddings(path, Embeddings(mu, "net@0", paths=paths, failed=(("x.jpg", "no face found"),)))
    return path


@pytest.fixture(scope="module")
def queries(store, tmp_path_factory):
    path = tmp_path_factory.mktemp("queries") / "q.parquet"
    save_embeddings(path, load_embeddings(store).take([3, 1700]))
    return path


def longhand(store, queries, k):
    scores = unit(load_embeddings(queries).mu) @ unit(load_embeddings(store).mu).T
    return [[(f"{row // 50}/{row}.jpg", line[row]) for row in np.argsort(-line)[:k]] for line in scores]


def test_exact(store, queries):
    ended = run("search", queries, store, "-k", 5, "--json")
    assert [line["query"] for line in ended.lines] == ["0/3.jpg", "34/1700.jpg"]
    for line, expected in zip(ended.lines, longhand(store, queries, 5), strict=True):
        assert [hit["path"] for hit in line["hits"]] == [path for path, _ in expected]
        assert [hit["score"] for hit in line["hits"]] == pytest.approx([score for _, score in expected])
    shown = run("search", queries, store, "-k", 2).out
    assert "0/3.jpg" in shown and "1.0000" in shown


def test_memory_mapped(store, queries, tmp_path):
    index = tmp_path / "new" / "s.npy"
    first = run("search", queries, store, "-k", 5, "--json", "--index", index)
    assert f"{index}: written" in first.err
    again = run("search", queries, store, "-k", 5, "--json", "--index", index)
    assert "written" not in again.err and again.out == first.out
    assert run("search", queries, index, "-k", 5, "--json").out == first.out
    for line, expected in zip(first.lines, longhand(store, queries, 5), strict=True):
        assert [hit["score"] for hit in line["hits"]] == pytest.approx([score for _, score in expected], abs=2e-3)
    array = np.load(index)
    assert array.dtype == np.float16 and array.shape == (3000, 16)
    assert np.linalg.norm(array.astype(float), axis=1) == pytest.approx(1, abs=1e-3)
    assert "already a memory-mapped store" in refused("search", queries, index, "--index", tmp_path / "t.npy")


def test_a_changed_file_is_exported_anew(store, tmp_path):
    source, index = tmp_path / "s.parquet", tmp_path / "s.npy"
    embeddings = load_embeddings(store)
    save_embeddings(source, embeddings.take(np.arange(100)))
    query = tmp_path / "q.parquet"
    save_embeddings(query, embeddings.take([150]))
    assert run("search", query, source, "--index", index, "--json").lines[0]["hits"][0]["path"] != "3/150.jpg"
    save_embeddings(source, embeddings.take(np.arange(200)))
    ended = run("search", query, source, "--index", index, "--json")
    assert "written" in ended.err and ended.lines[0]["hits"][0]["path"] == "3/150.jpg"


def test_export_reads_in_batches(store, tmp_path):
    batches = list(iterate_embeddings(store, rows=700))
    assert [len(batch) for batch in batches] == [700, 700, 700, 700, 200]
    assert batches[-1].failed == (("x.jpg", "no face found"),)
    whole = load_embeddings(store)
    assert (np.concatenate([batch.mu for batch in batches]) == whole.mu).all()
    assert sum((batch.paths for batch in batches), ()) == whole.paths
    export_store(store, tmp_path / "s.npy")
    opened = open_store(tmp_path / "s.npy")
    assert len(opened) == 3000 and opened.paths[2999] == "59/2999.jpg" and opened.model == "net@0"
    hits = top_k(whole.mu[:4], opened.vectors, 3, unit_rows=True)
    assert (hits.rows[:, 0] == np.arange(4)).all()


def test_an_empty_store(tmp_path):
    save_embeddings(tmp_path / "e.parquet", Embeddings(np.zeros((0, 4), np.float32), "net@0"))
    assert [len(batch) for batch in iterate_embeddings(tmp_path / "e.parquet")] == [0]
    export_store(tmp_path / "e.parquet", tmp_path / "e.npy")
    assert len(open_store(tmp_path / "e.npy")) == 0


def test_damaged_stores(store, tmp_path):
    index = tmp_path / "s.npy"
    with pytest.raises(EmbeddingsError, match=r"its s\.arrow is missing"):
        open_store(index)
    export_store(store, index)
    whole = index.read_bytes()
    index.write_bytes(whole[:-100])
    with pytest.raises(EmbeddingsError, match=r"not a readable \.npy file"):
        open_store(index)
    np.save(index, np.zeros((5, 16), np.float16))
    with pytest.raises(EmbeddingsError, match=r"does not belong to s\.arrow"):
        open_store(index)
    (tmp_path / "s.arrow").write_bytes(b"nothing")
    with pytest.raises(EmbeddingsError, match="not the paths of a store"):
        open_store(index)
    broken = tmp_path / "t.parquet"
    broken.write_bytes(b"nothing")
    for reader in (lambda: list(iterate_embeddings(broken)), lambda: open_store(broken)):
        with pytest.raises(EmbeddingsError, match="not a readable embeddings file"):
            reader()


def test_approximate(store, queries, tmp_path):
    pytest.importorskip("faiss")
    index = tmp_path / "s.faiss"
    exact = run("search", queries, store, "-k", 5, "--json")
    ended = run("search", queries, store, "-k", 5, "--json", "--index", index, "--probes", 64)
    assert ended.out == exact.out and f"{index}: written" in ended.err
    recall = ended.err.rsplit("by probes: ", 1)[1].split(", ")
    shares = [float(part.split()[0]) for part in recall]
    assert shares == sorted(shares) and 0.3 < shares[0] < 1 and shares[-1] > 0.99
    few = run("search", queries, store, "-k", 200, "--json", "--index", index, "--probes", 1)
    assert few.code == 0 and "written" not in few.err and 0 < len(few.lines[0]["hits"]) < 200
    other = tmp_path / "o.parquet"
    save_embeddings(other, load_embeddings(store).take(np.arange(9)))
    assert "an index of another store" in refused("search", queries, other, "--index", index)
    assert "written" in run("search", queries, other, "--index", index, "--overwrite").err
    index.write_bytes(b"nothing")
    assert "not a readable index" in run("search", queries, other, "--index", index).err


def test_a_photo_as_query(tmp_path, astronaut):
    model = tiny_model(tmp_path / "tiny")
    for number in range(3):
        write_rgb(tmp_path / "photos" / f"{number}.png", cv2.resize(np.roll(astronaut, 60 * number, 1), (160, 160)))
    write_rgb(tmp_path / "wall.png", np.full((90, 90, 3), 120, np.uint8))
    store = tmp_path / "s.parquet"
    assert run("embed", tmp_path / "photos", "-o", store, "-m", model).code == 0
    ended = run("search", tmp_path / "photos" / "1.png", store, "-m", model, "--json")
    hits = ended.json["hits"]
    assert hits[0]["path"].endswith("1.png") and hits[0]["score"] == pytest.approx(1, abs=1e-4) and len(hits) == 3
    assert "no face found" in refused("search", tmp_path / "wall.png", store, "-m", model)
    assert "give it with --model" in refused("search", tmp_path / "photos" / "1.png", store)
    assert "no such file" in refused("search", tmp_path / "gone.png", store, "-m", model)


def test_what_does_not_fit(store, queries, tmp_path):
    other = tmp_path / "o.parquet"
    save_embeddings(other, Embeddings(np.ones((1, 16), np.float32), "other@1", paths=("a",)))
    assert "made by other@1 (flip none), " in refused("search", other, store)
    assert "must end in .npy or .faiss" in refused("search", queries, store, "--index", tmp_path / "x.idx")
    assert "no such file" in refused("search", queries, tmp_path / "gone.parquet")
