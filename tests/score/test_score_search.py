"""Exact search against scoring every pair in float64, whatever the format, the blocks and the ties."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from facepipe.errors import EmbeddingsError
from facepipe.score import candidates_numpy, candidates_torch, cosine, search, unit

COARSE = [torch.float32, torch.bfloat16, "numpy"]


def top_k(queries, store, k, coarse=None, **given):
    """`search.top_k`; with ``numpy`` as where PyTorch is not loaded."""
    if coarse != "numpy":
        return search.top_k(queries, store, k, coarse=coarse, **given)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "has_torch", lambda: False)
        return search.top_k(queries, store, k, **given)


def longhand(queries, store, k):
    """Every pair by `cosine`; sorted by falling score, then by row."""
    scores = np.stack([cosine(np.tile(query, (len(store), 1)), store) for query in queries])
    rows = np.stack([sorted(range(len(store)), key=lambda row: (-line[row], row))[:k] for line in scores])
    return np.take_along_axis(scores, rows, 1), rows


@pytest.fixture
def small_blocks(monkeypatch):
    """So that a few hundred rows are many blocks, groups and rounds."""
    monkeypatch.setattr(search, "_QUERIES", 3)
    monkeypatch.setattr(candidates_torch, "_ROWS", 60)
    monkeypatch.setattr(candidates_numpy, "_ROWS", 60)
    monkeypatch.setattr(candidates_torch, "_SCORES", 400)
    monkeypatch.setattr(candidates_torch, "_HALF_ROWS", 300)
    monkeypatch.setattr(candidates_torch, "_GROUP", 4)
    monkeypatch.setattr(search, "_PAIRS", 7)
    monkeypatch.setattr(search, "_SPARE", {"float32": 2, "float16": 2, "bfloat16": 4})


@pytest.mark.parametrize("coarse", COARSE)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("k", [1, 2, 10, 2000])
def test_equals_scoring_every_pair(small_blocks, coarse, dtype, k):
    rng = np.random.default_rng(k)
    queries, store = rng.normal(size=(7, 16)), rng.normal(size=(1001, 16)).astype(dtype)
    hits = top_k(queries, store, k, coarse=coarse)
    scores, rows = longhand(queries, store, k)
    assert (hits.rows == rows).all() and (hits.scores == scores).all()
    assert hits.scores.dtype == np.float64 and hits.rows.dtype == np.int64
    assert hits.rows.shape == (7, min(k, 1001))


@pytest.mark.parametrize("coarse", COARSE)
def test_default_blocks_on_many_rows(coarse):
    """More rows than one block, with clusters: where many scores lie close together."""
    rng = np.random.default_rng(0)
    people = rng.normal(size=(200, 24))
    store = np.repeat(people, 200, 0) + rng.normal(scale=0.05, size=(40_000, 24))
    queries = people[:5] + rng.normal(scale=0.05, size=(5, 24))
    hits = top_k(queries, store.astype(np.float32), 12, coarse=coarse)
    scores = unit(queries) @ unit(store.astype(np.float32)).T
    assert (hits.rows == np.argsort(-scores, axis=1, kind="stable")[:, :12]).all()
    assert np.abs(hits.scores - np.take_along_axis(scores, hits.rows, 1)).max() < 1e-12


@settings(deadline=None, max_examples=80)
@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(1, 700),
    dim=st.integers(1, 9),
    kinds=st.integers(1, 40),
    k=st.integers(1, 30),
    coarse=st.sampled_from(COARSE),
    dtype=st.sampled_from([np.float16, np.float32]),
)
def test_of_equal_rows_the_lower_ones_come_first(seed, rows, dim, kinds, k, coarse, dtype):
    """Stores of few different rows, zeros among them, many times over: nearly everything is a tie."""
    rng = np.random.default_rng(seed)
    different = rng.normal(size=(kinds, dim)).astype(dtype)
    different[0] = 0
    store, queries = different[rng.integers(kinds, size=rows)], rng.normal(size=(3, dim))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(candidates_torch, "_ROWS", 50)
        patch.setattr(candidates_numpy, "_ROWS", 50)
        patch.setattr(candidates_torch, "_SCORES", 300)
        patch.setattr(candidates_torch, "_GROUP", 4)
        patch.setattr(search, "_SPARE", {"float32": 2, "float16": 2, "bfloat16": 4})
        hits = top_k(queries, store, k, coarse=coarse)
    scores, expected = longhand(queries, store, k)
    assert (hits.rows == expected).all() and (hits.scores == scores).all()


def test_lengths_do_not_matter():
    rng = np.random.default_rng(1)
    store = rng.normal(size=(400, 8)) * 10.0 ** rng.integers(-30, 30, size=(400, 1))
    queries = rng.normal(size=(5, 8)) * 1e20
    hits = top_k(queries, store.astype(np.float32), 3, coarse=torch.float32)
    assert (hits.rows == longhand(queries, store.astype(np.float32), 3)[1]).all()


def test_unit_rows_memory_mapped(tmp_path, small_blocks):
    rng = np.random.default_rng(2)
    store = unit(rng.normal(size=(900, 16))).astype(np.float16)
    np.save(tmp_path / "store.npy", store)
    queries = rng.normal(size=(4, 16)).astype(np.float32)
    scores, rows = longhand(queries, store, 5)
    for mode in ("r", "c"):
        hits = top_k(queries, np.load(tmp_path / "store.npy", mmap_mode=mode), 5, unit_rows=True)
        assert (hits.rows == rows).all() and (hits.scores == scores).all()


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(1, 700), kinds=st.integers(1, 400), k=st.integers(1, 30))
def test_one_query_on_float16_rows_as_they_are(seed, rows, kinds, k):
    """Many rows lie closer together than float16 tells apart, many are equal."""
    rng = np.random.default_rng(seed)
    different = unit(np.ones(6) + rng.normal(scale=0.02, size=(kinds, 6))).astype(np.float16)
    store, query = different[rng.integers(kinds, size=rows)], rng.normal(size=(1, 6))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(candidates_torch, "_HALF_ROWS", 100)
        patch.setattr(candidates_torch, "_GROUP", 4)
        patch.setattr(search, "_SPARE", {"float16": 2})
        hits = top_k(query, store, k, unit_rows=True)
    scores, expected = longhand(query, store, k)
    assert (hits.rows == expected).all() and (hits.scores == scores).all()


@pytest.mark.parametrize("rising", [True, False])
def test_stores_in_order_of_score(small_blocks, rising):
    """Every row better than all before it, or none: the most and the least that can wait to be taken in."""
    rng = np.random.default_rng(4)
    query = np.array([[1.0, 0.0]])
    angle = np.sort(rng.uniform(0, np.pi, 900))[:: -1 if rising else 1]
    store = np.stack([np.cos(angle), np.sin(angle)], 1).astype(np.float32)
    queries = np.concatenate([query, -query, query])
    hits = top_k(queries, store, 9, coarse=torch.float32)
    assert (hits.rows == longhand(queries, store, 9)[1]).all()


def test_nothing_to_find():
    assert top_k(np.ones((3, 4)), np.ones((0, 4)), 5).scores.shape == (3, 0)
    assert top_k(np.ones((0, 4)), np.ones((9, 4)), 5).rows.shape == (0, 5)
    assert top_k(np.ones((2, 4)), np.ones((9, 4)), 0).rows.shape == (2, 0)


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("rows", [10, 500])
@pytest.mark.parametrize("in_store", [True, False])
def test_damaged_numbers_are_refused(bad, rows, in_store):
    store, queries = np.random.default_rng(3).normal(size=(rows, 8)), np.ones((2, 8))
    (store if in_store else queries)[1, 3] = bad
    with pytest.raises(EmbeddingsError, match="NaN or infinite values"):
        top_k(queries, store, 2)
    with pytest.raises(EmbeddingsError, match="NaN or infinite values"):
        top_k(queries[1:], store.astype(np.float16), 2, unit_rows=True)
    with pytest.raises(EmbeddingsError, match="NaN or infinite values"):
        top_k(queries, store, 2, "numpy")


def test_shapes_that_do_not_fit():
    with pytest.raises(EmbeddingsError, match=r"\(2, 3\) and store \(5, 4\)"):
        top_k(np.ones((2, 3)), np.ones((5, 4)), 1)
