"""Readers of the lists of IJB-B and IJB-C."""

import numpy as np
import pytest
from ijb_synthetic import write_ijb

from facepipe.datasets.columns import read_columns, stream_columns
from facepipe.datasets.templates.ijb import find_ijb, read_enrolment, read_faces, read_template_pairs
from facepipe.datasets.templates.template_rows import TemplateRows
from facepipe.errors import DatasetError


@pytest.mark.parametrize("subset", ["B", "C"])
def test_everything_comes_back(tmp_path, subset, monkeypatch):
    monkeypatch.setattr("facepipe.datasets.columns._BLOCK", 200)
    made = write_ijb(tmp_path, subset)
    folder = find_ijb(tmp_path, subset)
    assert find_ijb(folder.root, subset) == folder and folder.images.is_dir()
    faces = read_faces(folder)
    assert list(faces.names) == made.names and len(faces) == len(made.names)
    np.testing.assert_array_equal(faces.template, made.template)
    np.testing.assert_array_equal(faces.media, made.media)
    np.testing.assert_array_equal(faces.detector_score, made.detector)
    first = folder.meta("name_5pts_score.txt").read_text().split("\n")[0].split()
    np.testing.assert_array_equal(faces.landmarks[0].ravel(), np.array(first[1:11], np.float32))
    templates = np.unique(made.template)
    pairs = read_template_pairs(folder.pairs, templates)
    np.testing.assert_array_equal(templates[pairs.left], made.pairs[:, 0])
    np.testing.assert_array_equal(templates[pairs.right], made.pairs[:, 1])
    np.testing.assert_array_equal(pairs.same, made.pairs[:, 2] == 1)
    assert (pairs.left.dtype, pairs.same.dtype, len(pairs)) == (np.int32, bool, len(made.pairs))
    for path, wanted in zip((*folder.galleries, folder.probes), (*made.galleries, made.probes), strict=True):
        enrolled = read_enrolment(path)
        assert enrolled.template.tolist() == sorted(wanted)
        assert enrolled.subject.tolist() == [made.subject_of[number] for number in sorted(wanted)]


def test_large_template_numbers_take_the_slow_way(tmp_path):
    path = tmp_path / "list.txt"
    templates = np.array([-5, 3, 1 << 40])
    np.testing.assert_array_equal(TemplateRows(templates)(np.array([1 << 40, -5, 3]), path), [2, 0, 1])
    for wanted in ([4], [(1 << 40) + 1], [-6]):
        with pytest.raises(DatasetError, match=f"template {wanted[0]} has no faces"):
            TemplateRows(templates)(np.array(wanted), path)


@pytest.mark.parametrize("wanted", [2, 7, -1, -9])
def test_unknown_templates(tmp_path, wanted):
    with pytest.raises(DatasetError, match=rf"list\.txt: template {wanted} has no faces in the list"):
        TemplateRows(np.array([1, 3, 6]))(np.array([1, wanted, 3]), tmp_path / "list.txt")


def changed(folder, name, change):
    path = folder.meta(name)
    path.write_text(change(path.read_text()))


def swap(text):
    first, second, *rest = text.split("\n")
    return "\n".join([second, first, *rest])


@pytest.mark.parametrize(
    ("name", "change", "match"),
    [
        ("name_5pts_score.txt", swap, "line 1: .*jpg, but ijbc_face_tid_mid.txt has 1.jpg in that line"),
        ("name_5pts_score.txt", lambda text: text.partition("\n")[2], "images, but ijbc_face_tid_mid.txt has"),
        ("name_5pts_score.txt", lambda text: text.replace(" ", " x", 1), "conversion error to float"),
        ("name_5pts_score.txt", lambda text: "1.jpg 2 3\n", "3 columns in line 1, but no column 4"),
        ("face_tid_mid.txt", lambda text: "", "column in line 1|columns in line 1|no lines"),
        ("face_tid_mid.txt", lambda text: text.replace(" ", " 1.5", 1), "conversion error to int64"),
        ("face_tid_mid.txt", lambda text: text.replace("\n", " 5\n", 1), "Expected 4 columns, got 3"),
    ],
)
def test_malformed_lists(tmp_path, name, change, match):
    write_ijb(tmp_path)
    folder = find_ijb(tmp_path, "C")
    changed(folder, name, change)
    with pytest.raises(DatasetError, match=match) as caught:
        read_faces(folder)
    assert "\n" not in str(caught.value) and str(folder.meta("")) in str(caught.value)


def test_malformed_pairs_and_galleries(tmp_path):
    made = write_ijb(tmp_path)
    folder, templates = find_ijb(tmp_path, "C"), np.unique(made.template)
    changed(folder, "template_pair_label.txt", lambda text: text.replace(" 0\n", " 2\n", 1))
    with pytest.raises(DatasetError, match="the label of a pair is 2; it must be 1"):
        read_template_pairs(folder.pairs, templates)
    changed(folder, "1N_probe_mixed.csv", lambda text: f"{text}{made.probes[0]},7,img/1.jpg,1\n")
    with pytest.raises(DatasetError, match=f"template {made.probes[0]} has two subjects"):
        read_enrolment(folder.probes)
    folder.pairs.unlink()
    with pytest.raises(DatasetError, match=r"template_pair_label\.txt: no such file"):
        read_template_pairs(folder.pairs, templates)


def test_missing_ijb(tmp_path):
    with pytest.raises(DatasetError, match=r"has no folder .meta. with ijbc_face_tid_mid\.txt"):
        find_ijb(tmp_path, "C")
    with pytest.raises(DatasetError, match="IJB-A is unknown; choose B or C"):
        find_ijb(tmp_path, "A")


def test_columns(tmp_path):
    path = tmp_path / "some.csv"
    path.write_text("\ufeffA,B,C\n1,x,\n2,y,2.5\n", encoding="utf-8")
    a, c, b = read_columns(path, {"A": "int64", "C": "float64", 1: "text"}, ",", header=True)
    assert (a.tolist(), b.tolist()) == ([1, 2], ["x", "y"])
    np.testing.assert_array_equal(c, [np.nan, 2.5])
    with pytest.raises(DatasetError, match="3 columns in line 1, but no column D"):
        read_columns(path, {"D": "text"}, ",", header=True)
    with pytest.raises(DatasetError, match=r"column C has an empty value|conversion error"):
        read_columns(path, {"C": "int64"}, ",", header=True)
    path.write_text("A,B\n")
    with pytest.raises(DatasetError, match=r"some\.csv: (no lines in it|.*[Ee]mpty)"):
        list(stream_columns(path, {"A": "int64"}, ",", header=True))
    path.write_bytes(b"\xff\xfe\n")
    with pytest.raises(DatasetError, match="not a readable text file"):
        read_columns(path, {0: "text"})
    with pytest.raises(DatasetError, match="not a readable text file"):
        read_columns(tmp_path, {0: "text"})
