"""How faces were found: what embeddings record of it, and what becomes of it where they are put together."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facepipe.alignment import Aligner
from facepipe.detection import Faces, create_detector, detector_settings_of, preset
from facepipe.embedding import Embeddings, join, load_embeddings, save_embeddings
from facepipe.embedding.finding import ALIGNED, joined_findings, mixed_detectors
from facepipe.embedding.provenance import Provenance, mixing_remark
from facepipe.ensemble import SameFaces, concatenate
from facepipe.errors import EmbeddingsError
from facepipe.pipeline import Cropper
from facepipe.protocols.landmark_crops import LandmarkCropper
from facepipe.protocols.result import settings_of
from facepipe.protocols.risk.damaged import DamagedCropper
from facepipe.score.store import export_store, open_store

USUAL = preset().to_dict() | {"faces": "centre"}
SMALL = USUAL | {"min_face": 12}
BEFORE = {"detector": None}  # what files of before say of aligned crops
OTHER = preset("yunet").to_dict() | {"faces": "centre"}


def some(*findings, model="m@1/c"):
    mu = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    return Embeddings(mu, model, paths=("a/1.jpg", "a/2.jpg", "b/1.jpg"), findings=findings)


def test_a_setting_recorded_under_its_former_name_is_the_same(tmp_path):
    """``confident_score`` was called ``sure``."""
    former = {{"confident_score": "sure"}.get(name, name): value for name, value in USUAL.items()}
    assert former != USUAL
    save_embeddings(tmp_path / "e.parquet", some(former))
    loaded = load_embeddings(tmp_path / "e.parquet")
    assert loaded.findings == (USUAL,) and join([loaded, some(USUAL)]).findings == (USUAL,)


@pytest.mark.parametrize(
    ("parts", "joined", "told"),
    [
        ([[USUAL], [USUAL]], [USUAL], False),
        ([[USUAL], [SMALL]], [USUAL, SMALL], False),
        ([[USUAL], [OTHER]], [USUAL, OTHER], True),
        ([[USUAL, OTHER], [USUAL]], [USUAL, OTHER], True),
        ([[USUAL], []], [USUAL], False),
        ([[USUAL], [ALIGNED], [BEFORE]], [USUAL, ALIGNED, BEFORE], False),
        ([[], []], [], False),
    ],
)
def test_put_together(parts, joined, told):
    embeddings = [some(*part) for part in parts]
    assert join(embeddings).findings == concatenate(embeddings).findings == tuple(joined)
    remarks = mixing_remark(*(one.provenance for one in embeddings)), mixing_remark(join(embeddings).provenance)
    assert list(map(bool, remarks)) == [told, told]
    settings = settings_of(join(embeddings))
    assert settings["findings"] == (joined or None) and ("remark" in settings) == told
    assert Provenance.recorded(settings) == join(embeddings).provenance


@given(st.lists(st.lists(st.sampled_from([USUAL, SMALL, OTHER, ALIGNED, BEFORE]), max_size=3).map(tuple), max_size=4))
def test_each_way_stands_once_and_none_is_lost(several):
    joined = joined_findings(several)
    kinds = {json.dumps(one) for findings in several for one in findings}
    assert {json.dumps(one) for one in joined} == kinds and len(joined) == len(kinds)
    assert joined_findings([joined, *several]) == joined
    assert bool(mixed_detectors(joined)) == ({one["detector"] for one in joined} >= {"mtcnn", "yunet"})


def test_both_remarks_at_once():
    told = mixing_remark(Provenance("float32", (USUAL,)), Provenance("bfloat16", (OTHER,)))
    assert "bfloat16 and float32 are mixed" in told and "mtcnn and yunet are mixed" in told


def test_what_a_cropper_records():
    aligner, settings = Aligner("112x112"), preset("fast", turns=True)
    detector = create_detector(settings, "cpu")
    for found in (detector, SameFaces(detector)):
        assert Cropper(aligner, found, "largest").findings == (settings.to_dict() | {"faces": "largest"},)
    assert Cropper(aligner, None).findings == (ALIGNED,)
    kept = Cropper(aligner, None, aligned=(OTHER, SMALL))
    assert kept.findings == DamagedCropper(kept).findings == (OTHER, SMALL)
    assert LandmarkCropper(aligner, {}).findings == ({"detector": "listed landmarks"},)
    assert detector_settings_of(lambda images: [Faces.none() for _ in images]) == {"detector": "function"}


def test_files_and_stores_keep_it(tmp_path):
    save_embeddings(tmp_path / "e.parquet", some(USUAL, OTHER))
    assert load_embeddings(tmp_path / "e.parquet").findings == (USUAL, OTHER)
    export_store(tmp_path / "e.parquet", tmp_path / "e.npy")
    stores = [open_store(tmp_path / name) for name in ("e.npy", "e.parquet")]
    assert [store.provenance for store in stores] == [some(USUAL, OTHER).provenance] * 2


def test_files_of_before_and_of_others(tmp_path, monkeypatch):
    from facepipe.embedding import embeddings_file

    about = embeddings_file._about
    monkeypatch.setattr(embeddings_file, "_about", lambda a: {k: v for k, v in about(a).items() if k != "findings"})
    save_embeddings(tmp_path / "old.parquet", some(USUAL))
    old = load_embeddings(tmp_path / "old.parquet")
    assert old.findings == () and settings_of(old)["findings"] is None
    assert replace(old, findings=(USUAL,)).take([0]).findings == (USUAL,)
    for wrong in ("mtcnn", [["mtcnn"]], [{"detector": 3}], 7):
        monkeypatch.setattr(embeddings_file, "_about", lambda a, w=wrong: about(a) | {"findings": w})
        save_embeddings(tmp_path / "wrong.parquet", some())
        with pytest.raises(EmbeddingsError, match=r"create it again|not one written"):
            load_embeddings(tmp_path / "wrong.parquet")
