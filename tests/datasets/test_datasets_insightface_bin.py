"""insightface's .bin sets: those of every writer, the real one, and pickles that are something else."""

import hashlib
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
from sklearn.model_selection import KFold

from facepipe.datasets.pairs.insightface_bin import read_bin
from facepipe.errors import DatasetError
from facepipe.images import encode_rgb, read_rgb

IMAGES = [encode_rgb(np.full((8, 8, 3), 20 * k, np.uint8), ".png") for k in range(6)]


def written(tmp_path, content, protocol=4):
    path = tmp_path / "set.bin"
    path.write_bytes(content if isinstance(content, bytes) else pickle.dumps(content, protocol))
    return path


def python2(images, same):
    """As Python 2 wrote it, protocol 0: byte strings are STRING opcodes with escapes."""
    listed = b"".join(b"S" + ascii(image)[1:].encode() + b"\n" + b"a" for image in images)
    return b"((l" + listed + b"(l" + b"".join(b"I01\na" if value else b"I00\na" for value in same) + b"t."


@pytest.mark.parametrize(
    "content",
    [
        (IMAGES[:4], [True, False]),
        [tuple(IMAGES[:4]), (True, False)],
        ([np.frombuffer(image, np.uint8) for image in IMAGES[:4]], [True, False]),
        (IMAGES[:4], [np.bool_(True), np.bool_(False)]),
        (IMAGES[:4], [1, 0]),
        (IMAGES[:4], np.array([True, False])),
        (IMAGES[:4], np.array([1, 0])),
        (IMAGES[:4], np.array([[1], [0]], ">i4")),
        (IMAGES[:4], np.array([1, 0], np.float32)),
        (IMAGES[:4], [np.int64(1), np.int64(0)]),
        (IMAGES[:4], np.array([1, 0], np.uint8)),
    ],
)
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_all_writers(tmp_path, content, protocol):
    read = read_bin(written(tmp_path, content, protocol))
    assert list(read.images.values()) == IMAGES[:4]
    assert read.pairs.names == tuple(read.images) and hashlib.sha256(IMAGES[2]).hexdigest()[:16] == read.pairs.names[2]
    assert (read.pairs.left.tolist(), read.pairs.right.tolist()) == ([0, 2], [1, 3])
    assert read.pairs.same.tolist() == [True, False] and read.pairs.fold.tolist() == [0, 1]


def test_python_2(tmp_path):
    read = read_bin(written(tmp_path, python2(IMAGES[:4], [True, False])))
    assert list(read.images.values()) == IMAGES[:4] and read.pairs.same.tolist() == [True, False]


def test_numpy_of_another_version(tmp_path):
    content = pickle.dumps((([np.frombuffer(IMAGES[0], np.uint8)] * 2), [True]), 2)
    for module in (b"numpy.core.multiarray", b"numpy._core.multiarray"):
        changed = content.replace(b"numpy._core.multiarray", module).replace(b"numpy.core.multiarray", module)
        assert read_bin(written(tmp_path, changed)).images.popitem()[1] == IMAGES[0]


def test_images_in_several_pairs_are_kept_once(tmp_path):
    order = [0, 1, 1, 2, 0, 2]
    read = read_bin(written(tmp_path, ([IMAGES[k] for k in order], [True, False, True])))
    assert list(read.images.values()) == IMAGES[:3]
    assert (read.pairs.left.tolist(), read.pairs.right.tolist()) == ([0, 1, 0], [1, 2, 2])


def test_sets_of_other_images_have_other_hashes(tmp_path):
    """Results carry it, so that sets of equal size are not taken for one."""
    digests = {read_bin(written(tmp_path, (IMAGES[k : k + 2], [True]))).pairs.digest for k in (0, 1, 2)}
    assert len(digests) == 3


@pytest.mark.parametrize("count", [1, 9, 10, 11, 57, 60])
def test_folds_are_those_of_scikit_learn(tmp_path, count):
    pairs = read_bin(written(tmp_path, (IMAGES[:2] * count, [True] * count))).pairs
    if count < 10:
        assert pairs.fold.tolist() == list(range(count))
        return
    for fold, (_, test) in enumerate(KFold(10, shuffle=False).split(np.zeros(count))):
        assert np.flatnonzero(pairs.fold == fold).tolist() == test.tolist()


def test_the_real_file(shared):
    read = read_bin(shared / "data" / "small_lfw.bin")
    assert (len(read.images), len(read.pairs)) == (17, 10) and read.pairs.same.all()
    assert {read_rgb(image).shape for image in read.images.values()} == {(112, 112, 3)}


class Harm:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_no_code_is_run(tmp_path, protocol):
    content = ([*IMAGES[:3], Harm(tmp_path / "harm")], [True, False])
    with pytest.raises(DatasetError, match=r"set\.bin: not one of insightface's \.bin sets \(it uses .*mkdir"):
        read_bin(written(tmp_path, content, protocol))
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize(
    "bomb",
    [
        b"\x80\x02Nr" + (1 << 26).to_bytes(4, "little") + b".",  # a memo of 67 million entries
        b"\x80\x02cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\nX\2\0\0\0u1\x85RJ"
        + (1 << 30).to_bytes(4, "little") + b"\x86R.",  # bytes(2 ** 30)
    ],
)  # fmt: skip
def test_a_few_bytes_take_no_gigabyte(tmp_path, bomb):
    (tmp_path / "set.bin").write_bytes(bomb)
    read = "import sys, pathlib, resource; from facepipe.datasets.pairs.insightface_bin import read_bin\n"
    read += "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
    read += "try: read_bin(pathlib.Path(sys.argv[1]))\nexcept Exception as error: print(error)\n"
    read += "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)"
    words = [sys.executable, "-c", read, str(tmp_path / "set.bin")]
    said, grown = subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()
    assert "not one of insightface's .bin sets" in said and int(grown) < 100


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "not one of insightface"),
        (b"\x80\x04garbage", "not one of insightface"),
        (b"\xff\xd8\xff\xe0 JFIF", "not one of insightface"),
        (pickle.dumps((IMAGES[:4], [True, False]))[:-40], "not one of insightface"),
        ({"images": IMAGES}, "images and labels"),
        ((IMAGES[:4], [True]), "4 images for 1 pair"),
        ((IMAGES[:4], []), "two lists"),
        ((b"ab", [True]), "two lists"),
        ((["a", "b"], [True]), "an image is not bytes"),
        ((IMAGES[:2], ["yes"]), "neither true nor false"),
        ((IMAGES[:2], np.array([2])), "neither true nor false"),
        ((IMAGES[:2], np.array([True, False])), "2 images for 2 pairs"),
        ((IMAGES[:2], np.array(["yes"])), "a type other than bytes and numbers"),
        (([np.zeros(3)] * 2, [True]), "a type other than bytes"),
        (([np.array([b"a", None])] * 2, [True]), "a type other than bytes"),
    ],
)
def test_what_is_no_set(tmp_path, content, match):
    path = written(tmp_path, content)
    with pytest.raises(DatasetError, match=match) as caught:
        read_bin(path)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


def test_missing(tmp_path):
    with pytest.raises(DatasetError, match=r"lfw\.bin: no such file"):
        read_bin(tmp_path / "lfw.bin")
    with pytest.raises(DatasetError, match="cannot be read"):
        read_bin(tmp_path)
