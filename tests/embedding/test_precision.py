"""The number format that embeddings record, and what becomes of it where they are put together."""

from dataclasses import replace

import numpy as np
import pytest

from facepipe.embedding import Embeddings, join, load_embeddings, save_embeddings
from facepipe.embedding.provenance import joined_record, mixed_precision
from facepipe.ensemble import concatenate
from facepipe.protocols.result import settings_of
from facepipe.score.store import export_store, open_store


def some(precision, model="m@1/c"):
    mu = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    return Embeddings(mu, model, paths=("a/1.jpg", "a/2.jpg", "b/1.jpg"), precision=precision)


@pytest.mark.parametrize(
    ("parts", "joined", "told"),
    [
        (["float32", "float32"], "float32", False),
        (["float32", "bfloat16"], "bfloat16+float32", True),
        (["bfloat16+float32", "float32"], "bfloat16+float32", True),
        (["float32", ""], "float32+unknown", False),
        (["float32+unknown", "bfloat16"], "bfloat16+float32+unknown", True),
        (["", ""], "", False),
    ],
)
def test_put_together(parts, joined, told):
    assert joined_record(parts) == joined
    embeddings = [some(part) for part in parts]
    assert join(embeddings).precision == concatenate(embeddings).precision == joined
    assert bool(mixed_precision(*parts)) == bool(mixed_precision(joined)) == told
    settings = settings_of(join(embeddings))
    assert settings["precision"] == (joined or None) and ("remark" in settings) == told


def test_files_and_stores_keep_it(tmp_path):
    save_embeddings(tmp_path / "e.parquet", some("bfloat16"))
    assert load_embeddings(tmp_path / "e.parquet").precision == "bfloat16"
    export_store(tmp_path / "e.parquet", tmp_path / "e.npy")
    assert open_store(tmp_path / "e.npy").precision == open_store(tmp_path / "e.parquet").precision == "bfloat16"


def test_files_of_before(tmp_path, monkeypatch):
    from facepipe.embedding import embeddings_file

    about = embeddings_file._about
    monkeypatch.setattr(
        embeddings_file, "_about", lambda like: {k: v for k, v in about(like).items() if k != "precision"}
    )
    save_embeddings(tmp_path / "old.parquet", some("float32"))
    old = load_embeddings(tmp_path / "old.parquet")
    assert old.precision == "" and settings_of(old)["precision"] is None
    assert replace(old, precision="float32").take([0]).precision == "float32"
