"""WebDataset tar shards: random access without unpacking, labels, and shards that are cut or damaged."""

import gzip
import io
import json
import subprocess
import sys
import tarfile

import numpy as np
import pytest
from train_tiny import add, crop, encoded, write_shard

from facepipe.datasets import open_samples, open_unlabelled
from facepipe.errors import DatasetError, FacepipeError
from facepipe.images import encode_rgb, read_rgb


def shard(path, keys, start=0):
    images = [encoded(crop(ord(name), n)) for n, name in enumerate(keys)]
    named = enumerate(zip(images, keys, strict=True), start)
    return write_shard(path, [(f"k{n}", image, {"identity": name}) for n, (image, name) in named])


def test_shards_of_a_folder_are_one_source(tmp_path):
    shard(tmp_path / "s-000.tar", "bab")
    shard(tmp_path / "s-001.tar", "ac", start=3)
    for paths in ([tmp_path], [tmp_path / "s-001.tar", tmp_path / "s-000.tar"]):
        samples = open_samples(paths)
        assert samples.identities == ["a", "b", "c"]
        assert samples.labels.tolist() == [1, 0, 1, 0, 2]
        assert (read_rgb(samples.read(4)) == crop(ord("c"), 1)).all()
        assert (read_rgb(samples.read(1)) == crop(ord("a"), 1)).all()
        assert "s-001.tar, byte" in samples.key(4)


def test_label_forms_folders_and_long_names(tmp_path):
    path = tmp_path / "s.tar"
    image = encoded(crop(1, 1))
    long = "very/" * 30 + "deep" * 40
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        add(tar, "x/0001.PNG", image)
        add(tar, "x/0001.cls", b"17\n")
        add(tar, "x/0002.json", json.dumps({"label": 17}).encode())  # label before image
        add(tar, "x/0002.jpg", image)
        add(tar, f"{long}.json", json.dumps({"identity": "zoë"}).encode())
        add(tar, f"{long}.png", image)
        add(tar, "x/0003.png", image)  # no label
        add(tar, "x/0004.json", b"{ not json")
        add(tar, "x/0004.png", image)
        add(tar, "x/0005.json", b"[" * 200_000)
    samples = open_samples([path])
    assert samples.identities == ["17", "zoë"]
    assert samples.labels.tolist() == [0, 0, 1]
    assert samples.notes == (f"{path}: 2 images without an identity left out",)


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_offsets_agree_with_tarfile(tmp_path, form):
    path = tmp_path / "s.tar"
    with tarfile.open(path, "w", format=form) as tar:
        for n in range(5):
            add(tar, f"{'d' * 90}/{n}.png", encoded(crop(n, 0)))
            add(tar, f"{'d' * 90}/{n}.json", b'{"identity": "p%d"}' % n)
    samples = open_samples([path])
    with tarfile.open(path) as tar:
        expected = [tar.extractfile(m).read() for m in tar if m.name.endswith("png")]
    assert [samples.read(i) for i in range(5)] == expected


def header(name, size, kind=tarfile.REGTYPE):
    """A header that claims any size, in base 256."""
    block = bytearray(tarfile.TarInfo(name).tobuf(tarfile.GNU_FORMAT))
    block[124:136] = (b"\xff" if size < 0 else b"\x80") + (size % (1 << 88)).to_bytes(11, "big")
    block[156:157], block[148:156] = kind, b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


@pytest.mark.parametrize("size", [-1024, -512, -1, 1 << 36, 1 << 62, 1 << 80])
@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_header_may_claim_any_size(tmp_path, size, kind):
    """A negative size leads back to a member already seen; a long name is read at once."""
    path = shard(tmp_path / "s.tar", "aab")
    with tarfile.open(path) as tar:
        end = max(member.offset_data + -(-member.size // 512) * 512 for member in tar)
    path.write_bytes(path.read_bytes()[:end] + header("k9.jpg", size, kind) + bytes(2048))
    with pytest.raises(DatasetError, match="truncated"):
        open_samples([path])
    path.write_bytes(header("k9.jpg", size, kind) + bytes(2048))
    with pytest.raises(DatasetError, match=r"truncated|not a tar shard"):
        open_samples([path])


def test_truncation_anywhere_is_reported_and_the_rest_is_usable(tmp_path):
    whole = shard(tmp_path / "whole.tar", "abab").read_bytes()
    end = len(whole.rstrip(b"\0"))
    cut = tmp_path / "cut.tar"
    # In a header, after a header, in an image, at the border of two members, in the last label.
    for size in (2048 + 100, 2048 + 512, 700, 512 * (end // 512), end - 5):
        cut.write_bytes(whole[:size])
        try:
            used = open_samples([cut], cut_shards="use")
        except DatasetError as error:
            assert "has no labelled images" in str(error)
            used = ()
        for index in range(len(used)):
            assert (read_rgb(used.read(index)) == crop(ord("ab"[index % 2]), index)).all()
        assert len(used) < 4
        if len(used):
            assert "cut.tar: truncated" in used.notes[0]
        with pytest.raises(DatasetError, match=r"cut\.tar: truncated.*data\.cut_shards"):
            open_samples([cut])


def test_a_shard_that_shrinks_later_fails_per_sample(tmp_path):
    path = shard(tmp_path / "s.tar", "ab")
    samples = open_samples([path])
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(FacepipeError, match="within a sample"):
        samples.read(1)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a tar shard"),
        (b"no tar at all" * 200, "not a tar shard"),
        (gzip.compress(b"x", mtime=0), "decompress it first"),
        (bytes(10240), "has no labelled images"),
    ],
)
def test_foreign_files(tmp_path, data, message):
    (tmp_path / "x.tar").write_bytes(data)
    with pytest.raises(DatasetError, match=f"x.tar: .*{message}"):
        open_samples([tmp_path / "x.tar"])


@pytest.mark.slow
def test_real_shards(shared, tmp_path):
    script = shared / "tools" / "unpack_crops"
    subprocess.run([sys.executable, str(script), str(tmp_path)], check=True, capture_output=True)
    folder = tmp_path / "train"
    samples = open_samples([folder])
    assert (len(samples), len(samples.identities)) == (26385, 3049)  # as its README states
    last = sorted(folder.glob("*.tar"))[-1]
    with tarfile.open(last) as tar:
        member = next(member for member in iter(tar.next, None) if member.name.endswith(".webp"))
        image = tar.extractfile(member).read()
        identity = json.load(tar.extractfile(member.name.replace(".webp", ".json")))["identity"]
    where = f"{last.name}, byte {member.offset_data}"
    index = next(i for i in range(len(samples)) if samples.key(i).endswith(where))
    assert samples.read(index) == image
    assert samples.identities[samples.labels[index]] == identity
    assert read_rgb(io.BytesIO(image).getvalue()).shape == (112, 112, 3)
    assert np.bincount(samples.labels).min() == 2


def write_members(path, members):
    with tarfile.open(path, "w") as tar:
        for name, data in members:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


def label(name):
    return json.dumps({"identity": name}).encode()


def picture(value):
    return encode_rgb(np.full((4, 4, 3), value, np.uint8), ".png")


def people_of(samples):
    """Sorted (identity, grey value) of every sample."""
    return sorted(
        (samples.identities[samples.labels[i]], int(read_rgb(samples.read(i))[0, 0, 0])) for i in range(len(samples))
    )


EXPECTED = [(f"p{number % 2}", number) for number in range(6)]
ORDERS = {
    "usual": lambda n: [(f"{n}.png", picture(n)), (f"{n}.json", label(f"p{n % 2}"))],
    "dots in keys": lambda n: [(f"d/v1.{n}.json", label(f"p{n % 2}")), (f"d/v1.{n}.png", picture(n))],
    "several suffixes": lambda n: [(f"{n}.face.png", picture(n)), (f"{n}.meta.json", label(f"p{n % 2}"))],
    "a Mac's files between": lambda n: [
        (f"{n}.png", picture(n)), (f"._{n}.png", b"Mac"), (f"{n}.json", label(f"p{n % 2}")), (f"._{n}.json", b"Mac"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("labels", ["beside", "last", "first"])
def test_no_sample_of_a_shard_vanishes(tmp_path, order, labels):
    members = [member for number in range(6) for member in ORDERS[order](number)]
    if labels != "beside":
        members.sort(key=lambda member: member[0].endswith(".json") == (labels == "last"))
    write_members(tmp_path / "a.tar", members)
    samples = open_samples([tmp_path / "a.tar"])
    assert people_of(samples) == sorted(EXPECTED)
    assert ("macOS" in " ".join(samples.notes)) == order.startswith("a Mac")
    assert len(open_unlabelled([tmp_path / "a.tar"])) == 6


def test_two_images_of_one_key_share_its_label(tmp_path):
    members = []
    for number in range(6):
        members += [(f"{number}.left.png", picture(number)), (f"{number}.right.png", picture(number))]
        members.append((f"{number}.json", label(f"p{number % 2}")))
    write_members(tmp_path / "a.tar", members)
    assert people_of(open_samples([tmp_path / "a.tar"])) == sorted(EXPECTED * 2)


def test_images_without_a_label_are_counted(tmp_path):
    write_members(tmp_path / "a.tar", [("1.png", picture(1)), ("1.json", label("p")), ("2.png", picture(2))])
    samples = open_samples([tmp_path / "a.tar"])
    assert len(samples) == 1 and any("1 image without an identity" in note for note in samples.notes)
