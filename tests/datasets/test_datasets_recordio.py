"""MXNet RecordIO: the reader against bytes laid out by hand, and against the writer."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facepipe.datasets import open_samples
from facepipe.datasets.samples.recordio import encode_record, read_record, write_recordio
from facepipe.datasets.samples.spans import Spans
from facepipe.errors import DatasetError

MAGIC = bytes.fromhex("0a23d7ce")  # 0xCED7230A, little-endian


def record(data):
    """A record of data without the magic number, by hand."""
    return MAGIC + struct.pack("<I", len(data)) + data + bytes(-len(data) % 4)


def image_record(label, image):
    return record(struct.pack("<IfQQ", 0, label, 0, 0) + image)


def labels_record(*labels):
    return record(struct.pack("<IfQQ", len(labels), 0.0, 0, 0) + struct.pack(f"<{len(labels)}f", *labels))


def write(folder, records, properties="3,112,112"):
    offsets, data = [], b""
    for item in records:
        offsets.append(len(data))
        data += item
    (folder / "train.rec").write_bytes(data)
    (folder / "train.idx").write_text("".join(f"{key}\t{at}\n" for key, at in enumerate(offsets)))
    if properties:
        (folder / "property").write_text(properties)
    return folder


# insightface's layout: record 0, five images of three people, then a record of keys for each person.
PEOPLE = [(0, b"zero"), (0, b"zero too"), (2, b"two"), (1, b"one"), (1, b"one again")]
LAYOUT = [
    labels_record(6, 9),
    *(image_record(*item) for item in PEOPLE),
    labels_record(1, 3),
    labels_record(3, 4),
    labels_record(4, 6),
]


def test_insightface_layout(tmp_path):
    samples = open_samples([write(tmp_path, LAYOUT)])
    assert samples.labels.tolist() == [0, 0, 2, 1, 1]
    assert samples.identities == ["0", "1", "2"]
    assert [samples.read(i) for i in range(5)] == [image for _, image in PEOPLE]


def test_ranges_that_do_not_cover_the_images_are_not_trusted(tmp_path):
    layout = [*LAYOUT[:6], labels_record(1, 2), labels_record(3, 4), labels_record(4, 6)]
    samples = open_samples([write(tmp_path, layout)])
    assert samples.labels.tolist() == [0, 0, 2, 1, 1]


def test_im2rec_layout_without_record_zero(tmp_path):
    samples = open_samples([write(tmp_path, [image_record(*item) for item in PEOPLE], properties="")])
    assert samples.labels.tolist() == [0, 0, 2, 1, 1]
    assert samples.read(2) == b"two"


def test_several_labels_in_an_image_record(tmp_path):
    data = struct.pack("<IfQQ", 2, 0.0, 0, 0) + struct.pack("<2f", 1.0, 0.25) + b"image"
    samples = open_samples([write(tmp_path, [record(data), image_record(0, b"other")])])
    assert samples.labels.tolist() == [1, 0]
    assert samples.read(0) == b"image"


@given(
    st.lists(
        st.one_of(st.binary(max_size=9), st.just(MAGIC), st.just(MAGIC * 2), st.just(b"abcd")), max_size=8
    ).map(b"".join)
)
def test_records_with_the_magic_number_inside_come_back(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("rec") / "x.rec"
    path.write_bytes(record(b"before") + encode_record(data))
    assert read_record(Spans([path]), len(record(b"before"))) == data
    # Aligned to four bytes, the magic number stands only before a length.
    raw = encode_record(data)
    assert raw.count(MAGIC) >= 1 and len(raw) % 4 == 0


def test_a_cut_record_by_hand(tmp_path):
    # "aaaa" MAGIC "bb" is stored as first part "aaaa" and last part "bb".
    first = MAGIC + struct.pack("<I", 1 << 29 | 4) + b"aaaa"
    last = MAGIC + struct.pack("<I", 3 << 29 | 2) + b"bb\0\0"
    assert encode_record(b"aaaa" + MAGIC + b"bb") == first + last


def test_writer_gives_what_the_reader_takes(tmp_path):
    images = [(0, b"a"), (0, b"bb"), (1, b"ccc"), (3, MAGIC * 3), (3, b"")]
    write_recordio(tmp_path / "train.rec", images, (112, 96))
    samples = open_samples([tmp_path])
    assert [(int(samples.identities[label])) for label in samples.labels] == [0, 0, 1, 3, 3]
    assert [samples.read(i) for i in range(5)] == [image for _, image in images]
    assert (tmp_path / "property").read_text() == "4,112,96\n"
    with pytest.raises(DatasetError, match="sorted by label"):
        write_recordio(tmp_path / "other.rec", [(1, b""), (0, b"")])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: (d / "property").write_text("2,112,112"), "label 2 is out of range; property says 2"),
        (lambda d: (d / "property").write_text("many"), "property: should read 'CLASSES,HEIGHT,WIDTH'"),
        (lambda d: (d / "train.idx").unlink(), "train.idx: cannot be read; a .rec file needs its .idx"),
        (lambda d: (d / "train.idx").write_text(""), "train.idx: the file is empty"),
        (lambda d: (d / "train.idx").write_text("a b\n"), "train.idx: not an index"),
        (lambda d: (d / "train.rec").write_bytes((d / "train.rec").read_bytes()[:150]), "truncated"),
        (lambda d: (d / "train.idx").write_text("0\t2\n1\t4\n"), "no record at byte 2; does the .idx belong"),
    ],
)
def test_bad_input_is_a_clear_line(tmp_path, change, message):
    write(tmp_path, LAYOUT)
    change(tmp_path)
    with pytest.raises(DatasetError, match=message):
        open_samples([tmp_path])


@pytest.mark.parametrize("label", [-1.0, float("nan"), 0.5])
def test_impossible_labels(tmp_path, label):
    write(tmp_path, [image_record(0, b"x"), image_record(label, b"y")])
    with pytest.raises(DatasetError, match=r"train\.rec: label .* is out of range"):
        open_samples([tmp_path])
