"""A file of embeddings that is read in several batches comes back whole."""

import numpy as np
import pytest

from facepipe.embedding import Embeddings, EmbeddingsWriter, load_embeddings


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
