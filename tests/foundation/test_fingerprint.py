"""What changed between two listings."""

import os

import pytest

from facepipe.files import Mark, compare_marks, mark_file
from facepipe.files.fingerprint import digest_of, digest_of_bytes


def test_each_kind_of_change():
    then = {"same": Mark(1, 1), "changed": Mark(1, 1), "grown": Mark(1, 1), "gone": Mark(1, 1)}
    now = {"same": Mark(1, 1), "changed": Mark(1, 2), "grown": Mark(2, 1), "new": Mark(1, 1)}
    changes = compare_marks(then, now)
    assert (changes.new, changes.changed, changes.vanished) == (("new",), ("changed", "grown"), ("gone",))
    assert (changes.same, changes.touched) == (("same",), ())
    assert changes and changes.line() == "1 new, 2 changed, 1 vanished"
    assert not compare_marks(then, then) and compare_marks(then, then).line() == ""


@pytest.mark.parametrize(("now", "group"), [("a", "touched"), ("b", "changed")])
def test_another_time_is_settled_by_the_contents(now, group):
    asked = []

    def contents(name):
        asked.append(name)
        return now

    changes = compare_marks({"x": Mark(1, 1, "a")}, {"x": Mark(1, 2)}, contents)
    assert getattr(changes, group) == ("x",) and asked == ["x"]


def test_contents_settle_even_with_the_same_time_and_size():
    assert compare_marks({"x": Mark(1, 1, "a")}, {"x": Mark(1, 1, "b")}).changed == ("x",)
    assert compare_marks({"x": Mark(1, 1, "a")}, {"x": Mark(1, 9, "a")}).touched == ("x",)


def test_marks_of_files(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"contents")
    os.utime(path, ns=(5, 1_234_567_891))
    assert mark_file(path) == Mark(8, 1_234_567_891)
    assert mark_file(path, digest=True).digest == digest_of(path) == digest_of_bytes(b"contents")
    assert digest_of_bytes(b"contents") != digest_of_bytes(b"Contents")
