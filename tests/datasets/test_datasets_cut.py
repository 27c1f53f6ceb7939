"""Crops know how they were cut: manifests of all ages against what a model wants."""

import pytest

from facepipe.alignment import TEMPLATES
from facepipe.datasets.samples.cut import check_cut, found_by
from facepipe.detection import preset
from facepipe.errors import DatasetError
from facepipe.preprocess.manifest import write_manifest
from facepipe.preprocess.plan import Plan

CUTS = [template.identity for template in TEMPLATES.values()]


def manifest(folder, name="112x112", **plan):
    folder.mkdir(parents=True, exist_ok=True)
    write_manifest(folder / "manifest.parquet", [], Plan(folder / "raw", folder, name, **plan).about())
    return folder


def old_manifest(folder):
    import pyarrow.parquet as pq

    file = manifest(folder) / "manifest.parquet"
    pq.write_table(pq.read_table(file).replace_schema_metadata(None), file)
    return folder


@pytest.mark.parametrize("name", list(TEMPLATES))
def test_the_same_cut_is_taken(tmp_path, name):
    manifest(tmp_path, name)
    for place in (tmp_path, tmp_path / "manifest.parquet", tmp_path / "person" / "image.jpg", tmp_path / "person"):
        assert check_cut(place, TEMPLATES[name].identity) == ""


@pytest.mark.parametrize(
    ("name", "wanted"), [("112x112", "112x112-cp2tform"), ("112x112-cp2tform", "112x112-umeyama")]
)
def test_another_cut_of_the_size_is_refused(tmp_path, name, wanted):
    message = f": crops cut as {TEMPLATES[name].identity}, but the model takes {wanted}; make new crops"
    with pytest.raises(DatasetError, match=message):
        check_cut(manifest(tmp_path, name), wanted)


def test_crops_of_another_size_are_noted(tmp_path):
    told = check_cut(manifest(tmp_path), "112x96-cp2tform")
    assert "crops cut as 112x112-umeyama, but the model takes 112x96-cp2tform" in told


def test_manifests_of_before(tmp_path):
    old_manifest(tmp_path)
    assert check_cut(tmp_path, "112x96-cp2tform") == check_cut(tmp_path, "112x112-cp2tform") == ""
    with pytest.raises(DatasetError, match=r"with the old 112×112 cut, .*; make new crops .* 112x112-cp2tform"):
        check_cut(tmp_path, "112x112-umeyama")


@pytest.mark.parametrize("wanted", CUTS)
def test_crops_of_unknown_origin_are_not_noted(tmp_path, wanted):
    import pyarrow as pa
    import pyarrow.parquet as pq

    (tmp_path / "folders").mkdir()
    assert check_cut(tmp_path / "folders", wanted) == ""
    pq.write_table(pa.table({"crops": [["a"]], "identity": ["b"]}), tmp_path / "own.parquet")
    assert check_cut(tmp_path / "own.parquet", wanted) == ""
    assert check_cut(manifest(tmp_path / "taken", detection=None), wanted) == ""


def test_a_damaged_manifest_is_named(tmp_path):
    (tmp_path / "manifest.parquet").write_bytes(b"PAR1")
    with pytest.raises(DatasetError, match=r"manifest\.parquet: damaged"):
        check_cut(tmp_path, CUTS[0])


def test_how_the_faces_of_crops_were_found(tmp_path):
    ours = preset("fast", min_face=30)
    first, second = manifest(tmp_path / "a", detection=ours, rule="best"), manifest(tmp_path / "b")
    way, usual = ours.to_dict() | {"faces": "best"}, preset().to_dict() | {"faces": "centre"}
    for place in (first, first / "manifest.parquet", first / "person" / "image.jpg"):
        assert found_by([place]) == (way,)
    assert found_by([first, first]) == (way,) and found_by([first, second, first]) == (way, usual)


def test_nothing_is_claimed_where_it_is_known_of_some_only(tmp_path):
    known, nobody = manifest(tmp_path / "known"), tmp_path / "nobody"
    nobody.mkdir()
    for unknown in (nobody, old_manifest(tmp_path / "old"), manifest(tmp_path / "taken", detection=None)):
        assert found_by([unknown]) == found_by([known, unknown]) == ()
    (known / "manifest-1.parquet").write_bytes(b"PAR1")
    with pytest.raises(DatasetError, match=r"manifest-1\.parquet: damaged"):
        found_by([known])


def test_detector_settings_under_former_names(tmp_path):
    """``confident_score`` was called ``sure``."""
    detection = preset().to_dict()
    recorded = {"sure" if name == "confident_score" else name: value for name, value in detection.items()}
    about = Plan(tmp_path / "raw", tmp_path, detection=preset()).about() | {"detection": recorded}
    write_manifest(tmp_path / "manifest.parquet", [], about)
    assert found_by([tmp_path]) == (detection | {"faces": about["faces"]},)
