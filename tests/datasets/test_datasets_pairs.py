"""LFW's pairs file: the real one, and malformed ones."""

import numpy as np
import pytest
from lfw_longhand import PAIRS_FILE

from facepipe.datasets.pairs.any_pairs import form_of, read_pairs
from facepipe.datasets.pairs.lfw_pairs import read_lfw_pairs
from facepipe.errors import DatasetError

LINES = PAIRS_FILE.splitlines()


def written(tmp_path, lines):
    path = tmp_path / "pairs.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_pairs_file(tmp_path):
    pairs = read_lfw_pairs(written(tmp_path, LINES))
    listed = [(pairs.names[a], pairs.names[b]) for a, b in zip(pairs.left, pairs.right, strict=True)]
    assert listed[:3] == [
        ("Ann/Ann_0001", "Ann/Ann_0002"),
        ("Bo/Bo_0003", "Bo/Bo_0010"),
        ("Ann/Ann_0001", "Bo/Bo_0002"),
    ]
    assert listed[3] == ("Bo/Bo_0001", "Cy_D/Cy_D_0001")
    assert pairs.same.tolist() == [True, True, False, False] * 2
    assert pairs.fold.tolist() == [0] * 4 + [1] * 4
    assert len(pairs.names) == len(set(pairs.names))
    assert len(pairs) == 8 and pairs.folds == 2


def test_lfw_pairs(shared):
    pairs = read_lfw_pairs(shared / "data" / "lfw_pairs.txt")
    assert (len(pairs), pairs.folds, len(pairs.names)) == (6000, 10, 7701)
    assert np.bincount(pairs.fold).tolist() == [600] * 10
    assert (np.arange(6000) // 600 == pairs.fold).all()
    assert pairs.same.reshape(10, 2, 300)[:, 0].all() and not pairs.same.reshape(10, 2, 300)[:, 1].any()
    people = [name.split("/")[0] for name in pairs.names]
    assert all((people[a] == people[b]) == same for a, b, same in zip(pairs.left, pairs.right, pairs.same, strict=True))
    assert all((shared / "data" / "lfw" / f"{name}.jpg").is_file() for name in pairs.names[::50])


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda lines: [], "line 1: must be the number of folds"),
        (lambda lines: ["ten 300", *lines[1:]], "line 1: must be the number of folds"),
        (lambda lines: ["2", *lines[1:]], "line 1: no number of folds; this is a list of view 1"),
        (lambda lines: ["1 4", *lines[1:]], "line 1: needs at least two folds"),
        (lambda lines: ["2 0", *lines[1:]], "line 1: needs at least two folds and one pair"),
        (lambda lines: lines[:-1], "ends at line 8, but its header declares 8 pairs"),
        (lambda lines: ["10 300", *lines[1:]], "header declares 6,000 pairs"),
        (lambda lines: [*lines, "Ann 1 2"], "line 10: more pairs than the header declares"),
        (lambda lines: ["2 1", *lines[1:]], "line 6: more pairs|line 3: genuine and impostor"),
        (lambda lines: [*lines[:4], "Bo one Cy_D 1", *lines[5:]], "line 5: 'one' or '1' is not an image number"),
        (lambda lines: [*lines[:4], "Bo 1 Cy_D -1", *lines[5:]], "line 5: '1' or '-1' is not an image number"),
        (lambda lines: [*lines[:2], "Bo 0 1", *lines[3:]], "line 3: '0' or '1' is not an image number, in 'Bo 0 1'"),
        (lambda lines: [*lines[:2], "Bo x 1", *lines[3:]], "line 3: 'x' or '1' is not an image number"),
        (lambda lines: [*lines[:2], "Bo 1", *lines[3:]], "line 3: must be 'name i j'"),
        (lambda lines: [*lines[:2], "", *lines[3:]], "ends at line 9, but .* 8 pairs, and it has 7"),
        (lambda lines: [*lines[:3], "Ann 1 Ann 2", *lines[4:]], "line 4: two people with the same name, 'Ann'"),
        (lambda lines: [*lines[:2], "Bo 1 2 3 4", *lines[3:]], "line 3: must be 'name i j'"),
        (lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]], "line 3: genuine and impostor pairs are out of"),
    ],
)
def test_malformed_pairs_file(tmp_path, change, match):
    path = written(tmp_path, change(LINES))
    with pytest.raises(DatasetError, match=match) as caught:
        read_lfw_pairs(path)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


def test_pairs_file_that_cannot_be_read(tmp_path):
    with pytest.raises(DatasetError, match=r"gone\.txt: no such list"):
        read_lfw_pairs(tmp_path / "gone.txt")
    with pytest.raises(DatasetError, match="not a readable text file"):
        read_lfw_pairs(tmp_path)
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff\xe0 JFIF")
    with pytest.raises(DatasetError, match=r"photo\.jpg: not a readable text file"):
        read_lfw_pairs(tmp_path / "photo.jpg")


VIEW_1 = ["Ann 1 2", "Ann 3 4", "Bo 1 3", "Ann 1 Bo 2", "Bo 1 Cy_D 4", "Cy_D 1 Ann 2"]
DEALT = {
    "view 1": ["3", *VIEW_1],
    "view 1 without its header": VIEW_1,
    "with headings": ["person first second", *VIEW_1],
    "in no order": [VIEW_1[0], VIEW_1[3], VIEW_1[4], VIEW_1[1], VIEW_1[2], VIEW_1[5]],
    "more of one kind": VIEW_1[:-1],
}


@pytest.mark.parametrize("kind", DEALT)
def test_lists_of_one_fold_are_dealt(tmp_path, kind):
    """What LFW's own figures cannot be made of, other figures can."""
    path = written(tmp_path, DEALT[kind])
    assert form_of(path) == "lfw"
    pairs = read_pairs(path)
    people = [name.split("/")[0] for name in pairs.names]
    assert pairs.same.tolist() == [people[a] == people[b] for a, b in zip(pairs.left, pairs.right, strict=True)]
    assert pairs.same.sum() == 3 and pairs.folds == (3 if len(pairs) == 6 else 2)
    with pytest.raises(DatasetError, match="this is a list of view 1" if kind == "view 1" else "has no header such as"):
        read_lfw_pairs(path)


def test_turns_of_the_published_list_are_its_folds(shared, tmp_path):
    whole = shared / "data" / "lfw_pairs.txt"
    (tmp_path / "pairs.txt").write_text(whole.read_text().partition("\n")[2])
    assert read_lfw_pairs(tmp_path / "pairs.txt").digest == read_lfw_pairs(whole).digest


def test_files_in_the_place_of_numbers(tmp_path):
    """As lists of other data sets in LFW's form have them; unsaid, 01 could be the truth of a pair."""
    path = written(tmp_path, ["01 1.png 3.PNG", "01 1.png 02 2.jpg", "02 2.jpg 4.jpg", "02 4.jpg 01 3.PNG"])
    pairs = read_pairs(path, "lfw")
    assert pairs.names == ("01/1", "01/3", "02/2", "02/4") and pairs.folds == 2
    with pytest.raises(DatasetError, match="line 2: must be 'IMAGE IMAGE 1'"):
        read_pairs(path)
