"""The walk: each file once, and a count of all that is left out."""

import os
import socket

import pytest

from facepipe.files import FolderError, PassedOver, walk
from facepipe.images import EXTENSIONS, KINDS

JPEG = frozenset({".jpg"})


def tree(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def found(*roots, wanted=JPEG, **options):
    passed = PassedOver()
    paths = [str(path) for _, path in walk(roots, wanted, passed, KINDS, **options)]
    return paths, passed.counts


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "photos"
    tree(folder, "a/1.jpg", "a/2.jpg", "b/1.jpg")
    return folder


ALL = ["a/1.jpg", "a/2.jpg", "b/1.jpg"]


def below(root, names=ALL):
    return [str(root / name) for name in names]


@pytest.mark.parametrize(
    "name", ["@eaDir/1.jpg/T.jpg", "a/#recycle/x.jpg", "$RECYCLE.BIN/x.jpg", "b/__macosx/1.jpg", "lost+found/x.jpg"]
)
def test_system_folders(root, name):
    tree(root, name)
    assert found(root) == (below(root), {"system folder": 1})
    assert len(found(root, system=True)[0]) == 4


def test_a_system_folder_that_is_asked_for_is_walked(tmp_path):
    tree(tmp_path, "@eaDir/1.jpg")
    assert found(tmp_path / "@eaDir") == ([str(tmp_path / "@eaDir/1.jpg")], {})


def test_roots_that_overlap(root):
    assert found(root, root / "a", root / "a" / "1.jpg", root)[0] == below(root)
    paths, passed = found(root / "a" / "1.jpg", root)
    assert sorted(paths) == below(root) and passed == {"file reached twice": 1}


def test_links_and_loops(root, tmp_path):
    (root / "a" / "up").symlink_to(root)
    (root / "z").symlink_to(root / "a")
    (root / "b" / "broken.jpg").symlink_to(tmp_path / "gone.jpg")
    (root / "b" / "itself.jpg").symlink_to("itself.jpg")
    assert found(root) == (below(root), {"folder reached twice": 2, "broken link": 2})


@pytest.mark.parametrize("name", ["a/0.jpg", "a/3.jpg", "b/0.jpg", "0.jpg", "z/1.jpg"])
@pytest.mark.parametrize("kind", ["symbolic", "hard"])
def test_second_names_of_one_file(root, name, kind):
    """Before or after its file, in the same folder or another: the first name counts, once."""
    link = root / name
    link.parent.mkdir(exist_ok=True)
    if kind == "hard":
        link.hardlink_to(root / "a/1.jpg")
    else:
        link.symlink_to(root / "a/1.jpg")
    paths, passed = found(root)
    assert len(paths) == 3 and len({os.path.realpath(path) for path in paths}) == 3
    assert passed == {"file reached twice": 1}


def test_a_link_to_a_file_outside(root, tmp_path):
    tree(tmp_path, "outside/x.jpg")
    (root / "b" / "2.jpg").symlink_to(tmp_path / "outside/x.jpg")
    assert found(root) == (below(root, [*ALL, "b/2.jpg"]), {})


def test_what_is_no_regular_file(root, tmp_path, monkeypatch):
    os.mkfifo(root / "a" / "pipe.jpg")
    monkeypatch.chdir(root / "b")  # the name of a socket may not be long
    server = socket.socket(socket.AF_UNIX)
    server.bind("socket.jpg")
    assert found(root) == (below(root), {"special file": 2})
    server.close()


def test_other_kinds_are_counted_by_kind(root):
    tree(root, "a/film.MP4", "b/IMG.CR2", "notes.txt", ".hidden.jpg", "._1.jpg", "a/x.jxl")
    assert found(root, wanted=EXTENSIONS) == (
        below(root),
        {
            "hidden file": 2,
            "other file": 1,
            "video": 1,
            "picture that facepipe cannot read": 1,
            "raw camera photo that must be developed first": 1,
        },
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read any folder")
def test_a_folder_that_may_not_be_read(root):
    (root / "b").chmod(0)
    assert found(root) == (below(root, ALL[:2]), {"folder that cannot be read": 1})
    (root / "b").chmod(0o700)


def test_a_folder_that_vanishes_or_refuses(root, monkeypatch):
    """Root may read everything, so the refusal is played."""
    listing = os.scandir

    def refuse(path):
        if str(path).endswith("/a"):
            raise PermissionError(13, "Permission denied", str(path))
        return listing(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert found(root) == (below(root, ALL[2:]), {"folder that cannot be read": 1})
    with pytest.raises(FolderError, match="cannot be listed"):
        found(root / "a")


def test_a_root_that_is_not_there(tmp_path):
    with pytest.raises(FolderError, match="nowhere: no such file or folder; check the path"):
        found(tmp_path / "nowhere")


def test_what_was_passed_over_in_words():
    passed = PassedOver()
    assert passed.line() == "" and len(passed) == 0
    passed.add("video", "a/b.mp4")
    for name in ("x\n.jpg", "y.jpg"):
        passed.add("special file", name)
    assert passed.line() == "skipped: 1 video (a/b.mp4), 2 special files (such as x\\n.jpg)"
    assert passed.to_dict()["video"] == {"count": 1, "example": "a/b.mp4"}
