"""Manners of a process: without streams, without a home, ended by signals, left by its reader."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from cli_run import run

pytestmark = pytest.mark.slow
SLOW = (
    "import sys, time, click\n"
    "from pathlib import Path\n"
    "from facepipe.cli import main as module\n"
    "from facepipe.files import replacing\n"
    "@click.command()\n"
    "def command():\n"
    "    with replacing(Path(sys.argv[2])) as temporary:\n"
    "        temporary.write_text('half')\n"
    "        print('begun', flush=True)\n"
    "        time.sleep(30)\n"
    "module.cli.get_command = lambda context, name: command\n"
)
COMMAND = [sys.executable, "-m", "facepipe"]


def slow(path):
    script = SLOW.replace("sys.argv[2]", repr(str(path))) + "module.main()\n"
    # Whoever runs the tests in the background may have these ignored, which a child would inherit.
    usual = "import signal\nfor n in (1, 15): signal.signal(n, signal.SIG_DFL)\n"
    script = f"{usual}signal.signal(2, signal.default_int_handler)\n{script}"
    return subprocess.Popen([sys.executable, "-c", script, "detect"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)])
def test_signals_leave_nothing_behind(tmp_path, number, code):
    with slow(tmp_path / "a") as process:
        assert process.stdout.readline() == b"begun\n"
        assert len(list(tmp_path.iterdir())) == 1
        process.send_signal(number)
        err = process.communicate(timeout=20)[1].decode()
    assert process.returncode == code and list(tmp_path.iterdir()) == []
    assert err.strip().startswith("facepipe: ") and len(err.strip().splitlines()) == 1


def test_nohup_stays_in_force(tmp_path):
    script = "import os, signal; signal.signal(signal.SIGHUP, signal.SIG_IGN); from facepipe.cli.process import *\n"
    script += "end_on_signals(); os.kill(os.getpid(), signal.SIGHUP); print('alive')"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout == "alive\n"


@pytest.mark.parametrize("words", [["models", "list"], ["models", "list", "--json"], ["--help"], ["train", "--list"]])
def test_a_reader_that_leaves_ends_it_quietly(words):
    """The pipe is closed before anything is read."""
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run([*COMMAND, *words], stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (0, b"")


@pytest.mark.parametrize("closed", [">&-", "<&-", "2>&-", ">&- 2>&- <&-"])
def test_without_standard_streams(closed, tmp_path):
    """No descriptor of the void may end up as the file that is written."""
    line = f"{sys.executable} -m facepipe models list {closed}; echo $? > {tmp_path}/code"
    ended = subprocess.run(["sh", "-c", line], capture_output=True, text=True)
    assert (tmp_path / "code").read_text() == "0\n" and "Traceback" not in ended.stderr


def test_without_a_home(tmp_path):
    script = (
        "import os, pwd\n"
        "os.environ.pop('HOME', None); os.environ.pop('FACEPIPE_CACHE', None); os.environ.pop('XDG_CACHE_HOME', None)\n"
        "def nobody(number): raise KeyError(number)\n"
        "pwd.getpwuid = nobody\n"
        "from facepipe.zoo.cache import cache_folder\n"
        "print(cache_folder() == cache_folder(), cache_folder())\n"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment)
    assert ended.stdout.startswith(f"True {tmp_path}/facepipe-cache-")
    assert ended.stderr.count("no writable home folder") == 1


@pytest.mark.parametrize("home", ["/dev/null", "/dev/null/nobody"])
def test_a_home_that_is_none(home, tmp_path):
    """As of users of services in /etc/passwd; no folder can be made below it."""
    script = "from facepipe.weights import cache_folder; print(cache_folder())"
    environment = {**os.environ, "HOME": home, "TMPDIR": str(tmp_path)}
    for name in ("FACEPIPE_CACHE", "XDG_CACHE_HOME"):
        environment.pop(name, None)
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment)
    assert ended.stdout.startswith(f"{tmp_path}/facepipe-cache-") and ended.stderr.count("no writable home folder") == 1


def test_a_home_in_which_a_cache_can_be_made_is_one(tmp_path, monkeypatch):
    from facepipe.weights import cache_folder

    monkeypatch.delenv("FACEPIPE_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "not" / "yet"))
    assert cache_folder() == tmp_path / "not" / "yet" / "facepipe" or sys.platform != "linux"


@pytest.mark.parametrize("words", [["detect", "gone.jpg"], ["detect", "--no-such-option"], ["nothing"]])
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_stderr_on_a_full_disk_changes_no_exit_code(words):
    for debug in ([], ["--log-format", "json"]):
        with Path("/dev/full").open("w") as full:
            assert subprocess.run([*COMMAND, *debug, *words], stderr=full, stdout=subprocess.PIPE).returncode == 2


def test_debug_works_anywhere(tmp_path):
    for words in (["--debug", "detect", "gone"], ["detect", "--debug", "gone"], ["detect", "gone", "--debug"]):
        ended = subprocess.run([*COMMAND, *words], capture_output=True, text=True)
        assert "Traceback" in ended.stderr and "FacepipeError" in ended.stderr


def test_what_a_name_does_to_a_terminal():
    ended = run("detect", "a\x1b[2J\u202egpj.exe")
    assert ended.code == 2 and "a\\x1b[2J\\u202egpj.exe: no such file" in ended.err


def test_an_endless_path_gives_a_short_line():
    ended = run("compare", "data:image/jpeg;base64," + "A" * 20_000, "b.jpg")
    assert ended.code == 2 and len(ended.err) < 1100
    assert ended.err.endswith("File name too long; if an image is expected, give a file that contains it\n")


def test_a_log_for_programs():
    ended = run("--log-format", "json", "detect", "gone.jpg")
    line = json.loads(ended.err)
    assert line["level"] == "error" and "gone.jpg: no such file" in line["message"]
    assert line["time"].startswith(time.strftime("%Y-", time.gmtime()))


def test_progress_without_a_terminal(monkeypatch, capsys):
    from facepipe.cli import logs, screen

    logs.start_logging()
    monkeypatch.setattr(screen, "QUIET_SECONDS", 0.0)
    with screen.progress("images", 4) as advance:
        advance(1)
        advance.total(2)
        advance(1)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("images: 1 of 4 done, ") and lines[1].startswith("images: 2 of 2 done, ")


def test_what_a_run_before_did_says_nothing_of_the_rate(monkeypatch, capsys):
    from facepipe.cli import logs, screen

    logs.start_logging()
    clock = iter(range(100, 1000, 10))
    monkeypatch.setattr(screen, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr(screen, "QUIET_SECONDS", 0.0)
    with screen.progress("images", 1000) as advance:
        advance.resumed(900)
        advance(20)
    assert capsys.readouterr().err == "images: 920 of 1,000 done, 2.0/s, about 1 min to go\n"  # 20 in ten seconds
