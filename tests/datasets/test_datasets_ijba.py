"""IJB-A's lists: one real split, and lists made up."""

import numpy as np
import pytest

from facepipe.datasets.templates.ijba import (
    VERIFY,
    face_name,
    find_splits,
    read_ijba_faces,
    read_search_split,
    read_verify_split,
)
from facepipe.errors import DatasetError

HEADER = "TEMPLATE_ID,SUBJECT_ID,FILE,MEDIA_ID,SIGHTING_ID,FRAME,FACE_X,FACE_Y,FACE_WIDTH,FACE_HEIGHT,AGE"
ROWS = [
    "7,2,img/1.jpg,1,9,,10,20,30.5,40,",
    "7,2,frame/5_001.png,5,9,1,1,2,3,4,0",
    "3,4,img/1.jpg,1,9,,50,20,30,40,",
    "9,2,img/1.jpg,1,9,,10,20,30.5,40,",
]


def write_split(folder, number=1, rows=ROWS, comparisons=("7,3", "9,7", "3,9")):
    folder = folder / f"split{number}"
    folder.mkdir(parents=True, exist_ok=True)
    text = "\n".join([HEADER, *rows]) + "\n"
    for name in ("verify_metadata", "search_gallery", "search_probe"):
        (folder / f"{name}_{number}.csv").write_text(text)
    (folder / f"verify_comparisons_{number}.csv").write_text("\n".join(comparisons) + "\n")
    return folder


def test_a_small_split(tmp_path):
    split = read_verify_split(1, write_split(tmp_path))
    faces = split.faces
    assert faces.names == ("2/img_1", "2/frame_5_001", "4/img_1")
    assert faces.files == ("img/1.jpg", "frame/5_001.png", "img/1.jpg")
    assert faces.boxes.tolist() == [[10, 20, 30.5, 40], [1, 2, 3, 4], [50, 20, 30, 40]]
    assert (faces.ids.tolist(), faces.subject.tolist()) == ([3, 7, 9], [4, 2, 2])
    assert (faces.face.tolist(), faces.template.tolist()) == ([0, 1, 2, 0], [1, 1, 0, 2])
    assert faces.media.tolist() == [1, 5, 1, 1]
    assert (split.left.tolist(), split.right.tolist()) == ([1, 2, 0], [0, 1, 2])
    assert split.same.tolist() == [False, True, False]
    search = read_search_split(1, tmp_path / "split1")
    assert search.gallery.names == search.probes.names == faces.names


def test_the_real_split(shared):
    """Counted with awk: 17,997 lines, 8,868 faces, 1,970 templates of 167 people, 1,803 genuine comparisons."""
    split = read_verify_split(1, shared / "data" / "ijba_split1")
    assert (len(split.faces.face), len(split.faces.names), len(split.faces.ids)) == (17_997, 8_868, 1_970)
    assert (len(split.left), int(split.same.sum())) == (11_787, 1_803)
    assert np.isfinite(split.faces.boxes).all() and len(np.unique(split.faces.subject)) == 167
    train = read_ijba_faces(shared / "data" / "ijba_split1" / "train_1.csv")
    assert len(train.face) == 16_910 and len(np.unique(train.subject)) == 332
    assert not np.isin(train.subject, split.faces.subject).any()


def test_where_splits_are(tmp_path):
    with pytest.raises(DatasetError, match="has no folders split1 … split10, nor has IJB-A_11_sets"):
        find_splits(tmp_path, VERIFY)
    for number in (10, 2):
        write_split(tmp_path / VERIFY, number)
    (tmp_path / VERIFY / "splitter").mkdir()
    assert [number for number, _ in find_splits(tmp_path, VERIFY)] == [2, 10]
    assert find_splits(tmp_path / VERIFY, VERIFY) == find_splits(tmp_path, VERIFY)


def test_boxes(tmp_path):
    """Of a face with two boxes the first counts; one may be missing."""
    rows = [*ROWS, "8,2,img/1.jpg,1,9,,11,20,30,40,", "8,2,img/8.jpg,1,9,,,20,30,40,"]
    faces = read_verify_split(1, write_split(tmp_path, rows=rows)).faces
    assert faces.boxes[0].tolist() == [10, 20, 30.5, 40] and np.isnan(faces.boxes[3, 0])


@pytest.mark.parametrize(
    ("rows", "comparisons", "match"),
    [
        (ROWS, ["7,3", "8,7"], r"verify_comparisons_1\.csv: template 8 is not in the list of faces"),
        (ROWS, ["7,3", "7,70"], "template 70 is not in the list"),
        (ROWS, ["7,3", "7"], "Expected 2 columns, got 1"),
        ([*ROWS, "7,4,img/9.jpg,1,9,,50,20,30,40,"], ["7,3"], "template 7 has two subjects"),
        ([*ROWS, "8,2,,1,9,,1,20,30,40,"], ["7,3"], "FILE has an empty value"),
        ([], ["7,3"], r"verify_metadata_1\.csv: "),
    ],
)
def test_malformed(tmp_path, rows, comparisons, match):
    folder = write_split(tmp_path, rows=rows, comparisons=comparisons)
    with pytest.raises(DatasetError, match=match) as caught:
        read_verify_split(1, folder)
    assert "\n" not in str(caught.value)


def test_names():
    assert face_name(1673, "img/8565.jpg") == "1673/img_8565"
    assert face_name(4, "frame/29183_00390.JPEG") == "4/frame_29183_00390"
