"""Lists of pairs in the formats that the datasets have: CFP, CALFW and CPLFW, YouTube Faces, a CSV."""

import numpy as np
import pytest

from facepipe.datasets.pairs.cfp import cfp_images, read_cfp_pairs
from facepipe.datasets.pairs.csv import read_pairs_csv
from facepipe.datasets.pairs.two_line_pairs import read_two_line_pairs
from facepipe.datasets.pairs.ytf import list_frames, read_ytf_pairs
from facepipe.errors import DatasetError
from facepipe.images import write_rgb


def told(pairs):
    """(name, name, same, fold) of each pair."""
    return [
        (pairs.names[a], pairs.names[b], bool(same), int(fold))
        for a, b, same, fold in zip(pairs.left, pairs.right, pairs.same, pairs.fold, strict=True)
    ]


def written(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def cfp(tmp_path):
    """CFP's folder Protocol in small: two people, two splits."""
    folder = tmp_path / "Protocol"
    for letter, kind, count in (("F", "frontal", 3), ("P", "profile", 2)):
        places = [f"../Data/Images/{person:03d}/{kind}/{k:02d}.jpg" for person in (1, 2) for k in range(1, count + 1)]
        written(folder / f"Pair_list_{letter}.txt", *(f"{number} {p}" for number, p in enumerate(places, 1)))
    for part in ("FF", "FP"):
        for split in ("01", "02"):
            written(folder / "Split" / part / split / "same.txt", "1,2", "4,3" if part == "FP" else "4,5")
            written(folder / "Split" / part / split / "diff.txt", f"1,{int(split) + 2}")
    return folder


def test_cfp(cfp):
    frontal = told(read_cfp_pairs(cfp, "FF"))
    assert frontal[:3] == [
        ("001/frontal/01", "001/frontal/02", True, 0),
        ("002/frontal/01", "002/frontal/02", True, 0),
        ("001/frontal/01", "001/frontal/03", False, 0),
    ]
    profile = told(read_cfp_pairs(cfp, "FP"))
    assert profile[3:] == [
        ("001/frontal/01", "001/profile/02", True, 1),
        ("002/frontal/01", "002/profile/01", True, 1),
        ("001/frontal/01", "002/profile/02", False, 1),
    ]


def test_cfp_images_lie_below_data_or_in_the_folder(tmp_path):
    assert cfp_images(tmp_path) == tmp_path
    (tmp_path / "Data" / "Images").mkdir(parents=True)
    assert cfp_images(tmp_path) == tmp_path / "Data" / "Images"


@pytest.mark.parametrize(
    ("file", "line", "match"),
    [
        ("Pair_list_P.txt", "one ../a/b/c.jpg", "Pair_list_P.txt, line 1: must be 'NUMBER PATH'"),
        ("Pair_list_F.txt", "1 01.jpg", "Pair_list_F.txt, line 1: no path like"),
        ("Split/FP/02/diff.txt", "1:2", "diff.txt, line 1: must be 'NUMBER,NUMBER'"),
        ("Split/FP/01/same.txt", "9,1", "same.txt, line 1: image 9 is in no"),
        ("Split/FP/01/same.txt", "1,5", "same.txt, line 1: image 5 is in no"),
    ],
)
def test_damaged_cfp(cfp, file, line, match):
    written(cfp / file, line)
    with pytest.raises(DatasetError, match=match):
        read_cfp_pairs(cfp, "FP")


def test_missing_cfp(cfp, tmp_path):
    (cfp / "Split" / "FF" / "02" / "diff.txt").unlink()
    with pytest.raises(DatasetError, match=r"02/diff\.txt: no such list"):
        read_cfp_pairs(cfp, "FF")
    with pytest.raises(DatasetError, match=r"Pair_list_F\.txt: no such list"):
        read_cfp_pairs(tmp_path, "FF")
    (tmp_path / "new").mkdir()
    for name in ("Pair_list_F.txt", "Pair_list_P.txt"):
        (tmp_path / "new" / name).write_bytes((cfp / name).read_bytes())
    with pytest.raises(DatasetError, match="no folders of splits"):
        read_cfp_pairs(tmp_path / "new", "FP")
    with pytest.raises(DatasetError, match="no part 'PP'"):
        read_cfp_pairs(cfp, "PP")


def test_two_line_lists(tmp_path):
    lines = []
    for k in range(20):
        token = 1 + k // 2
        lines += [f"A_{k:04d}.jpg {token}", f"A.B_{k:04d}.jpg {token}"]
    for k in range(30):
        lines += [f"C_{k:04d}.jpg 0", f"D_{k:04d}.jpg 0"]
    pairs = read_two_line_pairs(written(tmp_path / "pairs_CALFW.txt", *lines))
    assert pairs.same.tolist() == [True] * 20 + [False] * 30
    assert told(pairs)[1] == ("A_0001", "A.B_0001", True, 0)
    # Ten folds with a tenth of each class, the genuine ones as the file has them.
    assert pairs.fold[:20].tolist() == [k // 2 for k in range(20)]
    assert np.bincount(pairs.fold[20:]).tolist() == [3] * 10


@pytest.mark.parametrize(
    ("lines", "match"),
    [
        (["a.jpg 1"], "1 lines; two lines make a pair"),
        ([], "0 lines"),
        (["a.jpg 1", "b.jpg 0"], "line 1: must be 'NAME.jpg NUMBER' twice"),
        (["a.jpg 1", "b.jpg 1", "a.jpg", "b.jpg"], "line 3: must be"),
        (["a.jpg yes", "b.jpg yes"], "line 1: must be"),
    ],
)
def test_damaged_two_line_lists(tmp_path, lines, match):
    with pytest.raises(DatasetError, match=match):
        read_two_line_pairs(written(tmp_path / "pairs.txt", *lines))


def test_csv(tmp_path):
    path = written(
        tmp_path / "mine.csv",
        "note, fold, b, a, same",
        "x, 1, q/two.png, p/one.jpg, 1",
        '"a, b", 2, "r, s/three.v2.jpg", p\\one.jpg, diff',
        ", 1, four, ./p/one.jpg, False",
        ", 2, four, q/two.png, YES",
    )
    assert told(read_pairs_csv(path)) == [
        ("p/one", "q/two", True, 0),
        ("p/one", "r, s/three.v2", False, 1),
        ("p/one", "four", False, 0),
        ("q/two", "four", True, 1),
    ]


def test_csv_without_folds_as_spreadsheets_write_it(tmp_path):
    path = tmp_path / "mine.csv"
    rows = [f"a{k}.jpg,b{k}.jpg,{int(k < 20)}\r\n" for k in range(60)]
    path.write_bytes(b"\xef\xbb\xbfa,b,same\r\n" + "".join(rows).encode())
    pairs = read_pairs_csv(path)
    assert pairs.folds == 10
    assert np.bincount(pairs.fold[:20]).tolist() == [2] * 10 and np.bincount(pairs.fold[20:]).tolist() == [4] * 10


@pytest.mark.parametrize(
    ("lines", "match"),
    [
        (["a,b", "x,y"], "line 1: no column 'same'"),
        (["x.jpg,y.jpg,1"], "line 1: no column 'a'"),
        (["a,b,same"], "has no pairs"),
        (["a,b,same", "x,y,maybe"], "line 2: same must be 1 or 0, not 'maybe'"),
        (["a,b,same", "x,y"], "line 2: same must be"),
        (["a,b,same", "x,,1"], "line 2: a path is empty"),
        (["a,b,same", "x,/etc/y,1"], "line 2: /etc/y must be relative"),
        (["a,b,same", "x,../y,1"], "line 2: ../y must be relative"),
        (["a,b,same", "x.jpg,y,1", "x.png,y,0"], "line 3: x.png and x.jpg differ only by extension"),
        (["a,b,same,fold", "x,y,1,one"], "line 2: fold must be an integer"),
        (["a,b,same,fold", "x,y,1,-1"], "line 2: fold -1 is out of range"),
        (["a,b,same,fold", "x,y,1,1", "x,z,0,3"], "fold 2 has no pairs"),
    ],
)
def test_damaged_csv(tmp_path, lines, match):
    with pytest.raises(DatasetError, match=match) as caught:
        read_pairs_csv(written(tmp_path / "mine.csv", *lines))
    assert str(caught.value).startswith(str(tmp_path / "mine.csv"))


def test_ytf_splits(tmp_path):
    path = written(
        tmp_path / "splits.txt",
        "split number, pair, first name, second name, is same",
        "1, 1, Ann_Lee/0, Ann_Lee/3, 1",
        "1, 2, Ann_Lee/0, J.R._Bo/1, 0",
        "2, 3, Cy/2, J.R._Bo/1, 0, 1",
        "",
    )
    assert told(read_ytf_pairs(path)) == [
        ("Ann_Lee/0", "Ann_Lee/3", True, 0),
        ("Ann_Lee/0", "J.R._Bo/1", False, 0),
        ("Cy/2", "J.R._Bo/1", False, 1),
    ]


def test_ytf_mat(tmp_path):
    from scipy.io import savemat

    names = np.array(["Ann_Lee\\0", "Ann_Lee\\3", "Bo\\1"], dtype=object).reshape(-1, 1)
    splits = np.zeros((2, 3, 2))
    splits[:, :, 0] = [[1, 2, 1], [1, 3, 0]]
    splits[:, :, 1] = [[3, 2, 0], [2, 1, 1]]
    savemat(tmp_path / "meta_and_splits.mat", {"Splits": splits, "video_names": names, "mat_names": names})
    assert told(read_ytf_pairs(tmp_path / "meta_and_splits.mat")) == [
        ("Ann_Lee/0", "Ann_Lee/3", True, 0),
        ("Ann_Lee/0", "Bo/1", False, 0),
        ("Bo/1", "Ann_Lee/3", False, 1),
        ("Ann_Lee/3", "Ann_Lee/0", True, 1),
    ]
    splits[0, 0, 0] = 4
    savemat(tmp_path / "wrong.mat", {"Splits": splits, "video_names": names})
    with pytest.raises(DatasetError, match="do not match its video_names"):
        read_ytf_pairs(tmp_path / "wrong.mat")
    (tmp_path / "text.mat").write_text("no")
    with pytest.raises(DatasetError, match=r"text\.mat: not a readable MATLAB file"):
        read_ytf_pairs(tmp_path / "text.mat")


@pytest.mark.parametrize(
    ("lines", "match"),
    [
        (["1, 1, A/0, B/0"], "line 1: must be 'split, pair, NAME/VIDEO"),
        (["head", "x, 1, A/0, B/0, 1"], "line 2: must be"),
        (["1, 1, A/0, B/0, 2"], "line 1: must be"),
        (["0, 1, A/0, B/0, 1"], "line 1: must be"),
        (["1, 1, A/0, B/0, 1", "3, 1, A/0, B/0, 1"], "split 2 has no pairs"),
        (["head"], "no pairs of videos"),
    ],
)
def test_damaged_ytf_splits(tmp_path, lines, match):
    with pytest.raises(DatasetError, match=match):
        read_ytf_pairs(written(tmp_path / "splits.txt", *lines))


def test_frames_are_in_the_order_of_time(tmp_path):
    folder = tmp_path / "aligned_images_DB" / "Ann_Lee" / "3"
    for number in (9, 10, 11, 100, 101):
        write_rgb(folder / f"aligned_detect_3.{number}.jpg", np.zeros((8, 8, 3), np.uint8))
    frames = list_frames(tmp_path, ["Ann_Lee/3"])
    assert [frame.name.split(".")[1] for frame in frames] == ["9", "10", "11", "100", "101"]
    few = list_frames(tmp_path / "aligned_images_DB", ["Ann_Lee/3", "Ann_Lee/3"], 3)
    assert [frame.name.split(".")[1] for frame in few] == ["9", "11", "101"] * 2
    with pytest.raises(DatasetError, match="Bo/1: no frames of this video"):
        list_frames(tmp_path, ["Ann_Lee/3", "Bo/1"])
    (tmp_path / "frame_images_DB").mkdir()
    with pytest.raises(DatasetError, match="name aligned_images_DB or frame_images_DB"):
        list_frames(tmp_path, ["Ann_Lee/3"])
