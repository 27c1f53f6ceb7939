"""Lists as people have them: whatever a program or a person does to their form, they mean the same."""

import os
import random
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lfw_longhand import PAIRS_FILE

from facepipe.datasets import open_samples
from facepipe.datasets.columns import read_columns
from facepipe.datasets.lines import each_line, image_path, read_lines, whole
from facepipe.datasets.pairs.any_pairs import form_of, read_pairs
from facepipe.datasets.pairs.cfp import cfp_images, read_cfp_pairs
from facepipe.datasets.pairs.csv import read_pairs_csv
from facepipe.datasets.pairs.lfw_pairs import read_lfw_pairs
from facepipe.datasets.pairs.line_pairs import read_line_pairs
from facepipe.datasets.pairs.two_line_pairs import read_two_line_pairs
from facepipe.datasets.pairs.ytf import read_ytf_pairs
from facepipe.datasets.samples.find_image import find_images, require_images
from facepipe.datasets.templates.ijb import find_ijb
from facepipe.datasets.templates.megaface_features import read_list, read_noises
from facepipe.errors import DatasetError
from facepipe.images import write_rgb

PIXELS = np.zeros((4, 4, 3), np.uint8)


def told(pairs):
    names = pairs.names
    return [(names[a], names[b], bool(same), int(fold))
            for a, b, same, fold in zip(pairs.left, pairs.right, pairs.same, pairs.fold, strict=True)]


CSV = "a,b,same,fold\np/1.jpg,p/2.jpg,1,1\np/1.jpg,q/1.jpg,0,1\nq/1.jpg,q/2.jpg,1,2\np/2.jpg,q/2.jpg,0,2\n"
TWO = "A_1.jpg 1\nA_2.jpg 1\nA_1.jpg 0\nB_1.jpg 0\n"
LINES = "p/1.jpg p/2.jpg 1\np/1.jpg q/1.jpg 0\n"
YTF = "1, 1, A/0, A/1, 1\n1, 2, A/0, B/1, 0\n2, 1, B/0, B/1, 1\n2, 2, A/1, B/0, 0\n"
READERS = {
    "csv": (read_pairs_csv, CSV), "lfw": (read_lfw_pairs, PAIRS_FILE), "two-lines": (read_two_line_pairs, TWO),
    "lines": (read_line_pairs, LINES), "ytf": (read_ytf_pairs, YTF),
}  # fmt: skip

FORMS = {
    "as it is": lambda text: text.encode(),
    "UTF-8 with a mark": lambda text: b"\xef\xbb\xbf" + text.encode(),
    "UTF-16 of a spreadsheet": lambda text: text.encode("utf-16"),
    "Windows": lambda text: text.replace("\n", "\r\n").encode(),
    "old Mac": lambda text: text.replace("\n", "\r").encode(),
    "no last line end": lambda text: text.rstrip("\n").encode(),
    "empty lines": lambda text: ("\n" + text.replace("\n", "\n\n") + "  \n\t\n").encode(),
    "blanks at the end": lambda text: text.replace("\n", "  \n").encode(),
}


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("form", FORMS)
def test_the_form_of_a_list_changes_nothing(tmp_path, kind, form):
    reader, text = READERS[kind]
    (tmp_path / "plain.txt").write_text(text)
    (tmp_path / "other.txt").write_bytes(FORMS[form](text))
    assert told(reader(tmp_path / "other.txt")) == told(reader(tmp_path / "plain.txt"))


@pytest.mark.parametrize(
    ("kind", "changed"),
    [
        ("csv", CSV.replace("/", "\\")),
        ("csv", CSV.replace(",", ";")),
        ("csv", CSV.replace(",", "\t")),
        ("csv", CSV.replace(",1,1", ",1.0,1.0").replace(",0,2", ",0.0,2.0")),
        ("csv", CSV.replace("a,b,same,fold", "A,B,Same,Fold")),
        ("csv", CSV.replace(".jpg", ".JPG")),
        ("csv", CSV.replace("p/1.jpg", '"./p/1.jpg"')),
        ("lfw", PAIRS_FILE.replace(" ", "\t")),
        ("lfw", PAIRS_FILE.replace(" 1", " 1.0")),
        ("lfw", PAIRS_FILE.partition("\n")[2]),
        ("lfw", "name nr name2 nr2\n" + PAIRS_FILE.partition("\n")[2]),
        ("two-lines", "name same_person\n" + TWO),
        ("two-lines", TWO.replace(" 1", " 1.0").replace(" ", "\t")),
        ("lines", LINES.replace(" ", ",")),
        ("lines", "left right same\n" + LINES),
        ("lines", "1 p/1.jpg p/2.jpg\n0 p/1.jpg q/1.jpg\n"),
        ("lines", LINES.replace(" 1\n", " True\n").replace(" 0\n", " False\n")),
        ("ytf", YTF.replace("/", "\\").replace("2, ", "2.0, ").replace(" 1\n", " 1.0\n")),
        ("ytf", "split number, pair number, first name, second name, is same\n" + YTF),
    ],
)
def test_what_else_programs_write_means_the_same(tmp_path, kind, changed):
    reader, text = READERS[kind]
    for name, content in (("plain.txt", text), ("other.txt", changed)):
        (tmp_path / name).write_text(content)
    assert told(reader(tmp_path / "other.txt")) == told(reader(tmp_path / "plain.txt"))


@pytest.mark.parametrize("kind", ["csv", "lfw", "two-lines", "lines"])
def test_the_form_is_known_by_the_first_line(tmp_path, kind):
    reader, text = READERS[kind]
    (tmp_path / "pairs.txt").write_text(text)
    assert form_of(tmp_path / "pairs.txt") == kind
    assert told(read_pairs(tmp_path / "pairs.txt")) == told(reader(tmp_path / "pairs.txt"))


@pytest.mark.parametrize("text", ["hello\n", "a b c d e\n", "x.jpg\n"])
def test_a_first_line_of_no_form_is_shown(tmp_path, text):
    (tmp_path / "pairs.txt").write_text("\n" + text)
    with pytest.raises(DatasetError, match=f"line 2: must be 'a,b,same'.*not {text.strip()!r}"):
        read_pairs(tmp_path / "pairs.txt")


def test_names_with_spaces_between_tabs(tmp_path):
    (tmp_path / "pairs.txt").write_text("2\t1\nAnn Lee\t1\t2\nAnn Lee\t1\tBo\t1\n\nBo\t1\t2\nBo\t3\tAnn Lee\t3\n")
    assert told(read_lfw_pairs(tmp_path / "pairs.txt"))[0] == ("Ann Lee/Ann Lee_0001", "Ann Lee/Ann Lee_0002", True, 0)


def test_lfw_as_kaggle_has_it(tmp_path):
    rows = [f"A{n},1,2,\n" for n in range(10)]
    others = [f"A{n},1,B{n},3\n" for n in range(10)]
    text = "".join(pair for both in zip(rows, others, strict=True) for pair in both)
    (tmp_path / "pairs.csv").write_text("name,imagenum1,imagenum2,\n" + text)
    pairs = read_pairs(tmp_path / "pairs.csv")
    assert (len(pairs), pairs.folds, pairs.same.tolist()) == (20, 10, [True, False] * 10)
    assert told(pairs)[1] == ("A0/A0_0001", "B0/B0_0003", False, 0)
    (tmp_path / "pairs.csv").write_text("name,imagenum1,imagenum2,\n" + text + "C,1,2,\n")
    with pytest.raises(DatasetError, match="21 pairs cannot be split into 10 equal folds"):
        read_pairs(tmp_path / "pairs.csv")


@pytest.mark.parametrize(
    ("kind", "text", "match"),
    [
        ("csv", "a,b,same\nx,y,1\nz,y,0\ny,x,0\n", r"line 4: y and x are two people here, but one person in .*line 2"),
        ("csv", "a,b,same\nx,y,1\nx,x,0\n", "line 3: x with itself as two people"),
        ("lines", "x.jpg y.jpg 0\ny.png z.png 1\n", "line 2: y.png and y.jpg differ only by extension"),
        ("lines", "x.jpg y.jpg 0\nx.jpg y.jpg 1\n", "line 2: x and y are one person here, but two people in .*line 1"),
        ("lines", "x.jpg y.jpg 0\n1 x.jpg z.jpg\n", "line 2: must be 'IMAGE IMAGE 1'.*not '1 x.jpg z.jpg'"),
        ("lines", "1 0 1\n0 1 1\n", "line 1: cannot tell which column is the label, in '1 0 1'"),
        ("two-lines", TWO + "B_1.jpg 7\nA_1.jpg 7\n", "line 5: B_1 and A_1 are one person here"),
        ("ytf", YTF + "2, 3, B/0, A/1, 1\n", "line 5: B/0 and A/1 are one person here"),
        ("csv", "a,b,same,fold\nx,y,1,1.5\n", "line 2: fold must be an integer, not '1.5'"),
        ("csv", "a,b,same\nx,y,2.0\n", "line 2: same must be 1 or 0, not '2.0', in 'x,y,2.0'"),
    ],
)
def test_what_cannot_be_decided_is_refused_with_its_line(tmp_path, kind, text, match):
    (tmp_path / "pairs.txt").write_text(text)
    with pytest.raises(DatasetError, match=match):
        READERS[kind][0](tmp_path / "pairs.txt")


@given(st.integers(-(10**9), 10**9), st.sampled_from(["{}", "{}.0", "{}.", "{}.000000", " {} ", '"{}"']))
def test_whole_numbers(number, form):
    assert whole(form.format(number)) == number


@given(st.text(max_size=9))
def test_whole_is_strict(text):
    number = whole(text)
    assert number is None or float(text.strip().strip("\"'")) == number


def test_paths():
    assert image_path(r' ".\a\\b c\d.JPG" ') == "a/b c/d.JPG"
    assert image_path("././a//b.png") == "a/b.png"


def test_lines_know_their_number(tmp_path):
    (tmp_path / "a.txt").write_text("\n one \n\n two\u2028x\n")
    assert [(line.number, line.text) for line in read_lines(tmp_path / "a.txt", "")] == [(2, "one"), (4, "two\u2028x")]


def peak(do):
    """Bytes that Python holds at most while it does it."""
    tracemalloc.start()
    try:
        do()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.slow
def test_a_long_list_is_not_held(tmp_path):
    for end, encoding in (("\n", "utf-8"), ("\r\n", "utf-16")):
        (tmp_path / "a.txt").write_bytes((f"some/folder/image.jpg 17{end}" * 100_000).encode(encoding))
        assert peak(lambda: sum(1 for _ in each_line(tmp_path / "a.txt", ""))) < 300_000


@pytest.mark.slow
def test_a_long_list_of_images_costs_little_more_than_their_names(images):
    """2.4 MB of names; the objects of each line and of each word would be 40 MB."""
    (images / "list.txt").write_text("p/1.png 17\n" + "".join(f"p/image{n:09d}.png 17\n" for n in range(100_000)))
    assert peak(lambda: open_samples([images / "list.txt"])) < 25_000_000


def test_a_shells_pipe_is_a_list(tmp_path):
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as file:
        file.write(CSV)
    (tmp_path / "plain.txt").write_text(CSV)
    try:
        assert told(read_pairs_csv(Path(f"/dev/fd/{reading}"))) == told(read_pairs_csv(tmp_path / "plain.txt"))
    finally:
        os.close(reading)


@pytest.fixture
def images(tmp_path):
    for name in ("p/1.png", "p/2.png", "q/1.png", "x y/1.png"):
        write_rgb(tmp_path / name, PIXELS)
    return tmp_path


LABELLED = ["p/1.png ann", "p/2.png ann", "q/1.png bob"]
TRAINING = {
    "blanks": "\n".join(LABELLED),
    "tabs": "\n".join(LABELLED).replace(" ", "\t"),
    "commas": "\n".join(LABELLED).replace(" ", ","),
    "headings": "image label\n" + "\n".join(LABELLED),
    "headings of a table": "path\tidentity\n" + "\n".join(LABELLED).replace(" ", "\t"),
    "backslashes": "\n".join(LABELLED).replace("/", "\\"),
    "other letters": "\n".join(LABELLED).replace(".png", ".PNG"),
    "mark": "\ufeff" + "\n".join(LABELLED),
}


@pytest.mark.parametrize("form", TRAINING)
def test_training_lists(images, form):
    (images / "list.txt").write_text(TRAINING[form], encoding="utf-8")
    samples = open_samples([images / "list.txt"])
    assert list(samples.identities) == ["ann", "bob"] and samples.labels.tolist() == [0, 0, 1]
    assert all(samples.read(index) for index in range(3))
    assert [samples.size(index) for index in range(3)] == [len(samples.read(index)) for index in range(3)]
    assert bool(samples.notes) == form.startswith("headings")


@pytest.mark.parametrize(
    "text",
    [
        "1\tp/1.png\t7\n1\tp/2.png\t7\n1\tq/1.png\t9\n",  # insightface: aligned or not, path, label
        "0\tp/1.png\t7\t10\t20\t90\t99\n0\tp/2.png\t7\t1\t2\t3\t4\n0\tq/1.png\t9\t1\t2\t3\t4\n",  # with a box
        "0\t7.000000\tp/1.png\n1\t7.000000\tp/2.png\n2\t9.000000\tq/1.png\n",  # im2rec
        "p/1.png 7.0\np/2.png 7\nq/1.png 9.0\n",  # pandas
        "p/1.png\np/2.png\nq/1.png\n",  # VGGFace2: the folder is the person
    ],
)
def test_training_lists_of_other_programs(images, text):
    (images / "list.lst").write_text(text)
    samples = open_samples([images / "list.lst"])
    assert list(samples.identities) in (["7", "9"], ["p", "q"]) and samples.labels.tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("0\tone\ttwo\n", r"line 1: must be 'NUMBER LABEL IMAGE' or .*not '0\\tone\\ttwo'"),
        ("0\t1\t2\tp/1.png\n", "line 1: must be 'NUMBER LABEL IMAGE'"),
        ("p/1.png ann\np/2.png\n", "line 2: must be 'IMAGE LABEL', not 'p/2.png'"),
        ("p/1.png 2.png\np/2.png 3.png\n", "line 1: must be 'IMAGE LABEL', and here both are images, not 'p/1.png 2"),
        ("p/1.png\np/2.png ann\n", "line 1: must be 'IMAGE LABEL', not 'p/1.png'"),
        ("gone/1.png a\ngone/2.png b\n", r"line 1: .*gone/1\.png: no such image, nor the next 1; paths must"),
    ],
)
def test_training_lists_that_mean_nothing(images, text, match):
    (images / "list.lst").write_text(text)
    with pytest.raises(DatasetError, match=match):
        open_samples([images / "list.lst"])


def test_megaface_lists(tmp_path):
    (tmp_path / "noises.txt").write_bytes(b"\xef\xbb\xbfAnn_1.png\r\n\r\n# why\r\nx\tBo\\Bo_2.png\r\n")
    assert read_noises(tmp_path / "noises.txt") == {"Ann_1.png", "Bo/Bo_2.png"}
    (tmp_path / "list.txt").write_text("\ufeffa\\b\\c.jpg\n./d/e.jpg\n", encoding="utf-8")
    assert read_list(tmp_path / "list.txt") == ["a/b/c.jpg", "d/e.jpg"]


@pytest.mark.parametrize("text", ["1 2.5\n3 4\n", "1\t2.5\n3\t4\n", "\ufeff1 2.5\n3 4\n", "1,2.5\n3,4\n"])
def test_columns(tmp_path, text):
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    first, second = read_columns(tmp_path / "a.txt", {0: "int64", 1: "float32"})
    assert (first.tolist(), second.tolist()) == ([1, 3], [2.5, 4])


@pytest.mark.parametrize("place", ["", "lfw-deepfunneled", "lfw/lfw-deepfunneled", "aligned images"])
def test_images_lie_where_archives_put_them(tmp_path, place):
    names = [f"Ann/Ann_{n:04d}" for n in range(4)]
    for name, suffix in zip(names, (".jpg", ".JPG", ".Png", ".jpeg"), strict=True):
        path = tmp_path / place / f"{name}.jpg"
        write_rgb(path, PIXELS)
        path.rename(path.with_suffix(suffix))
    (tmp_path / "Data").mkdir(exist_ok=True)
    files, missing = find_images(tmp_path, [*names, "Bo/Bo_0001"])
    assert [file.relative_to(tmp_path / place).with_suffix("").as_posix() for file in files] == names
    assert missing == ["Bo/Bo_0001"]
    with pytest.raises(DatasetError, match=r"Cy/Cy_0001\.\*: no such image, nor any other of the 2 of the list"):
        find_images(tmp_path, ["Cy/Cy_0001", "Cy/Cy_0002"])
    assert require_images(tmp_path, names) == files
    with pytest.raises(DatasetError, match=r"Bo_0001\.\*: no such image \(1 of the 5 images"):
        require_images(tmp_path, [*names, "Bo/Bo_0001"])


def test_images_in_two_places_are_not_chosen_from(tmp_path):
    for place in ("raw", "aligned"):
        write_rgb(tmp_path / place / "a.jpg", PIXELS)
    with pytest.raises(DatasetError, match="a is in aligned and in raw; name one"):
        find_images(tmp_path, ["a"])


@pytest.mark.parametrize("folder", ["", "Split"])
@pytest.mark.parametrize("name", ["Pair_list_{}.txt", "image_list_{}.txt"])
def test_cfp_under_both_names(tmp_path, name, folder):
    protocol = tmp_path / "cfp-dataset" / "Protocol"
    for split in ("01", "02"):
        (protocol / "Split" / "FP" / split).mkdir(parents=True)
        (protocol / "Split" / "FP" / split / "same.txt").write_text("1,1\n")
        (protocol / "Split" / "FP" / split / "diff.txt").write_text("1,2\n" if split == "01" else "2,1\n")
    for letter, kind in (("F", "frontal"), ("P", "profile")):
        lines = [f"{n} ../Data/Images/00{n}/{kind}/01.jpg\n" for n in (1, 2)]
        (protocol / folder / name.format(letter)).write_text("".join(lines))
    assert told(read_cfp_pairs(protocol, "FP"))[-1] == ("002/frontal/01", "001/profile/01", False, 1)
    (tmp_path / "cfp-dataset" / "Data" / "Images").mkdir(parents=True)
    assert cfp_images(tmp_path) == tmp_path / "cfp-dataset" / "Data" / "Images"


@pytest.mark.parametrize("place", ["", "IJBC", "IJB_release/IJBC", "x/IJB-C"])
def test_ijb_wherever_it_is_unpacked(tmp_path, place):
    (tmp_path / place / "meta").mkdir(parents=True)
    (tmp_path / place / "meta" / "ijbc_face_tid_mid.txt").write_text("1.jpg 1 1\n")
    assert find_ijb(tmp_path, "C").root == tmp_path / place
    with pytest.raises(DatasetError, match="no folder 'meta' with ijbb_face_tid_mid"):
        find_ijb(tmp_path, "B")


def test_shuffled_pairs_keep_their_truth(tmp_path):
    """The truth of a pair does not hang on where it stands."""
    rows = CSV.splitlines()[1:]
    random.Random(1).shuffle(rows)
    (tmp_path / "pairs.csv").write_text("\n".join([CSV.splitlines()[0], *rows]))
    assert sorted(told(read_pairs(tmp_path / "pairs.csv"))) == sorted(told(read_pairs_csv(_plain(tmp_path))))


def _plain(tmp_path):
    (tmp_path / "plain.csv").write_text(CSV)
    return tmp_path / "plain.csv"
