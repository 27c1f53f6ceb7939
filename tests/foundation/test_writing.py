"""The writer: links stay links, modes stay modes, private files are private from the start, the dead leave nothing."""

import os
import stat
import subprocess
import sys

import pytest

from facepipe.files import OutputError, locked, replacing, require_apart, write_bytes, write_text


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(autouse=True)
def usual_umask():
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.parametrize("steps", [1, 3])
def test_a_link_stays_and_its_file_is_replaced(tmp_path, steps):
    real = tmp_path / "real" / "g.parquet"
    write_text(real, "old")
    path = real
    for step in range(steps):
        link = tmp_path / f"link{step}"
        link.symlink_to(path if step % 2 else os.path.relpath(path, tmp_path))
        path = link
    write_text(path, "new")
    assert real.read_text() == "new" and path.is_symlink()
    assert sorted(entry.name for entry in real.parent.iterdir()) == ["g.parquet"]


def test_a_link_to_nothing_makes_its_file(tmp_path):
    (tmp_path / "link").symlink_to("made/later")
    write_text(tmp_path / "link", "new")
    assert (tmp_path / "made/later").read_text() == "new"


def test_a_link_to_itself_is_an_error(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError):
        write_text(tmp_path / "loop", "x")


@pytest.mark.parametrize("bits", [0o600, 0o640, 0o444, 0o755])
def test_a_file_keeps_its_mode(tmp_path, bits):
    path = tmp_path / "a"
    write_text(path, "old")
    path.chmod(bits)
    write_text(path, "new")
    assert mode(path) == bits and path.read_text() == "new"


def test_private_files_are_private_while_they_are_written(tmp_path):
    with replacing(tmp_path / "g", private=True) as temporary:
        assert mode(temporary) == 0o600
        temporary.write_text("faces")
    assert mode(tmp_path / "g") == 0o600
    write_text(tmp_path / "open", "x")
    assert mode(tmp_path / "open") == 0o644


def test_private_with_nothing_written_keeps_the_old_file(tmp_path):
    write_text(tmp_path / "g", "old")
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "g", private=True):
        pass
    assert (tmp_path / "g").read_text() == "old"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_a_file_keeps_its_owner(tmp_path):
    path = tmp_path / "a"
    write_text(path, "old")
    os.chown(path, 1234, 1235)
    path.chmod(0o640)
    write_text(path, "new")
    assert (path.stat().st_uid, path.stat().st_gid, mode(path)) == (1234, 1235, 0o640)


def test_a_check_that_fails_keeps_the_old_file(tmp_path):
    path = tmp_path / "a"
    write_text(path, "old")

    def check(written):
        assert written.read_text() == "half"
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError), replacing(path, check=check) as temporary:
        temporary.write_text("half")
    assert path.read_text() == "old" and len(list(tmp_path.iterdir())) == 1


def test_temporaries_of_the_dead_are_removed_and_those_of_the_living_kept(tmp_path):
    script = "import sys, os, signal; from pathlib import Path; from facepipe.files import replacing\n"
    script += "with replacing(Path(sys.argv[1])) as t: t.write_text('half'); os.kill(os.getpid(), signal.SIGKILL)"
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "a")], check=False)
    assert len(list(tmp_path.iterdir())) == 1, "a killed process leaves its temporary"
    with replacing(tmp_path / "b") as living:
        living.write_text("b")
        assert sorted(tmp_path.iterdir()) == [living]
        write_bytes(tmp_path / "a", b"whole")
        assert living.exists()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a", "b"]


def test_updates_under_the_lock_are_not_lost(tmp_path):
    """Three processes count up one number, through a link in one of them."""
    path = tmp_path / "number"
    path.write_text("0")
    (tmp_path / "link").symlink_to(path)
    script = (
        "import sys; from pathlib import Path; from facepipe.files import locked, write_text\n"
        "path = Path(sys.argv[1])\n"
        "for _ in range(30):\n"
        "    with locked(path):\n"
        "        write_text(path, str(int(path.read_text()) + 1))\n"
    )
    names = [path, tmp_path / "link", path]
    started = [subprocess.Popen([sys.executable, "-c", script, str(name)]) for name in names]
    assert [process.wait() for process in started] == [0, 0, 0]
    assert path.read_text() == "90"


def test_who_waits_is_told(tmp_path, monkeypatch):
    import filelock  # noqa: F401, so that the wait is not spent on loading it

    monkeypatch.setattr("facepipe.files.lock._PATIENCE", 0.05)
    script = (
        "import sys, time; from pathlib import Path; from facepipe.files import locked\n"
        "with locked(Path(sys.argv[1])): print('held', flush=True); time.sleep(0.5)"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "a")], stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"held\n"
        said = []
        with locked(tmp_path / "a", said.append):
            assert len(said) == 1 and "another process is changing it" in said[0]


@pytest.mark.parametrize("kind", ["itself", "symbolic", "hard", "dots", "folder link"])
def test_no_output_is_an_input(tmp_path, kind):
    source = tmp_path / "photos" / "a.jpg"
    write_text(source, "photo")
    (tmp_path / "soft.jpg").symlink_to(source)
    (tmp_path / "hard.jpg").hardlink_to(source)
    (tmp_path / "album").symlink_to(source.parent)
    output = {
        "itself": source,
        "symbolic": tmp_path / "soft.jpg",
        "hard": tmp_path / "hard.jpg",
        "dots": tmp_path / "photos" / ".." / "photos" / "a.jpg",
        "folder link": tmp_path / "album" / "a.jpg",
    }[kind]
    with pytest.raises(OutputError, match="would replace the input"):
        require_apart([tmp_path / "fresh.jpg", output], [source], overwrite=True)
    assert source.read_text() == "photo"


def test_a_foreign_file_is_replaced_only_when_told_so(tmp_path):
    write_text(tmp_path / "theirs", "x")
    with pytest.raises(OutputError, match=r"already exists; .*overwrite=True"):
        require_apart([tmp_path / "theirs"], [])
    require_apart([tmp_path / "theirs"], [], overwrite=True)
    require_apart([tmp_path / "theirs"], [], is_replaceable=lambda path: path.name == "theirs")
    with pytest.raises(IsADirectoryError):
        require_apart([tmp_path], [], overwrite=True)
    assert (tmp_path / "theirs").read_text() == "x"
