"""A file of embeddings that is read in several batches comes back whole."""

from contextlib import closing

import numpy as np
import pyarrow as pa
import pytest

from facepipe.embedding import Embeddings, EmbeddingsWriter, iterate_embeddings, load_embeddings
from facepipe.embedding.origin import Origin
from facepipe.embedding.saved_rows import SavedRows
from facepipe.files import UNMARKED


@pytest.mark.parametrize("rows", [1, 3, 7, 100])
def test_batches_are_put_together(tmp_path, monkeypatch, rows):
    monkeypatch.setattr("facepipe.embedding.batches._ROWS", rows)
    rng = np.random.default_rng(0)
    whole = Embeddings(
        rng.normal(size=(10, 4)).astype(np.float32),
        "m@1",
        "concat",
        tuple(f"{number}.jpg" for number in range(10)),
        rng.random(10) < 0.5,
        kappa=rng.random(10, np.float32),
        sigma2=rng.random((10, 2), np.float32),
        trained_dim=2,
        detection_score=rng.random(10, np.float32),
    )
    path = tmp_path / "e.parquet"
    with EmbeddingsWriter(path, "m@1", "concat", 4) as writer:
        for first in range(0, 10, 4):
            part = whole.take(range(first, min(first + 4, 10)))
            writer.write(Embeddings(**(vars(part) | {"failed": ((f"lost{first}", "gone"),)})))
    loaded = load_embeddings(path)
    for name in ("mu", "detected", "kappa", "sigma2", "detection_score"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(whole, name))
    assert (loaded.paths, loaded.model, loaded.flip, loaded.trained_dim) == (whole.paths, "m@1", "concat", 2)
    assert loaded.failed == (("lost0", "gone"), ("lost4", "gone"), ("lost8", "gone"))
    assert loaded.mu.dtype == np.float32 and loaded.mu.flags.c_contiguous


PARTS, ROWS, DIM = 40, 1000, 512


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """80 MB in forty row groups, with the state of their images."""
    path = tmp_path_factory.mktemp("large") / "e.parquet"
    rng = np.random.default_rng(0)
    with EmbeddingsWriter(path, "m@1", "concat", DIM, made={}) as writer:
        for first in range(0, PARTS * ROWS, ROWS):
            names = tuple(f"{number}.jpg" for number in range(first, first + ROWS))
            mu = rng.normal(size=(ROWS, DIM)).astype(np.float32)
            writer.write(Embeddings(mu, "m@1", "concat", names), {name: Origin(name, UNMARKED) for name in names})
    return path


def test_batches_that_were_read_are_not_kept(large):
    before, most = pa.total_allocated_bytes(), 0
    for _ in iterate_embeddings(large, ROWS):
        most = max(most, pa.total_allocated_bytes() - before)
    assert 0 < most < large.stat().st_size / 4


def test_row_groups_that_were_read_are_not_kept(large):
    before, most = pa.total_allocated_bytes(), 0
    with closing(SavedRows(large)) as file:
        for number in range(0, PARTS * ROWS, ROWS):
            file.rows([f"{number}.jpg"])
            most = max(most, pa.total_allocated_bytes() - before)
    assert 0 < most < large.stat().st_size / 4
