"""Atomic writing: a file is there whole, or the old one is."""

import pytest

from facepipe.files import replacing, write_bytes, write_text
from facepipe.images import list_images


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, OSError])
def test_replacing_keeps_the_old_file_when_the_block_raises(tmp_path, error):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(error), replacing(path) as temporary:
        temporary.write_text("half of the n")
        assert path.read_text() == "old"
        raise error
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_replacing_shows_the_new_file_only_at_the_end(tmp_path):
    path = tmp_path / "made" / "on the way" / "a.bin"
    with replacing(path) as temporary:
        assert temporary.parent == path.parent
        temporary.write_bytes(b"new")
        assert not path.exists()
    assert path.read_bytes() == b"new"
    assert names(path.parent) == ["a.bin"]


def test_replacing_twice_at_once(tmp_path):
    path = tmp_path / "a.txt"
    with replacing(path) as first, replacing(path) as second:
        assert first != second
        first.write_text("outer")
        second.write_text("inner")
    assert path.read_text() == "outer"
    assert names(tmp_path) == ["a.txt"]


def test_replacing_with_nothing_written(tmp_path):
    write_bytes(tmp_path / "a", b"old")
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "a"):
        pass
    assert (tmp_path / "a").read_bytes() == b"old"


@pytest.mark.parametrize("name", ["x" * 255, "顔" * 85, "😀" * 63, ".hidden"])
def test_longest_file_names(tmp_path, name):
    """A name takes up to 255 bytes, and its temporary name no more."""
    write_text(tmp_path / name, "grüße")
    assert (tmp_path / name).read_bytes() == "grüße".encode()
    assert names(tmp_path) == [name]


def test_temporary_files_are_hidden_from_listing(tmp_path):
    with replacing(tmp_path / "a.png") as temporary:
        temporary.write_bytes(b"half")
        assert list(list_images(tmp_path)) == []
        assert temporary.suffix == ".tmp"
