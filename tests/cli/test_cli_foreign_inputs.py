"""What is no file that a command can read, given for each of its inputs: one line, exit code 2, and no wait."""

import os
import signal
import socket
from contextlib import contextmanager
from pathlib import Path

import cv2
import pytest
from cli_commands import ALL, DOORS, words
from cli_run import run, tiny_model

from facepipe.images import write_rgb

pytestmark = pytest.mark.slow
LIMIT = 120
"""Seconds for a cell."""
KINDS = ("named pipe", "socket", "broken link", "link loop", "another kind", "empty file")
STORES = ("store", "embeddings", "strangers")


def inputs(name):
    """Parameters that name what is read; a file that is changed is read too."""
    return *DOORS[name].reads, *(output.parameter for output in DOORS[name].writes if output.changes)


CELLS = [(name, parameter) for name in ALL for parameter in inputs(name)]


@contextmanager
def time_limit(what):
    def end(*_):
        raise AssertionError(f"{what}: still at it after {LIMIT} s")

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(LIMIT)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def good(tmp_path_factory, astronaut):
    """A valid input for each parameter."""
    root = tmp_path_factory.mktemp("good")
    photo = root / "photos" / "Ada" / "1.png"
    write_rgb(photo, cv2.resize(astronaut[:300, 80:380], (150, 150), interpolation=cv2.INTER_AREA))
    model = tiny_model(root / "tiny")
    assert run("embed", photo.parent.parent, "-o", root / "e.parquet", "-m", model).code == 0
    assert run("gallery", "build", photo.parent.parent, root / "g.parquet", "-m", model).code == 0
    files = dict.fromkeys(STORES, root / "e.parquet") | dict.fromkeys(("gallery", "galleries"), root / "g.parquet")
    files |= {"paths": photo.parent.parent, "raw": photo.parent.parent, "root": photo.parent.parent, "model": model}
    files |= {"folder": photo.parent.parent, "folders": photo.parent.parent}
    return photo, files


def make(path, kind):
    if kind == "named pipe":
        os.mkfifo(path)
    elif kind == "socket":
        here = Path.cwd()
        os.chdir(path.parent)  # the path of a socket has 108 bytes
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
        os.chdir(here)
    elif kind == "broken link":
        path.symlink_to(path.parent / "nowhere")
    elif kind == "link loop":
        path.symlink_to(path)
    else:
        path.write_bytes(b"" if kind == "empty file" else b"neither this nor that\x00\x01\n" * 9)


SUFFIX = {"pairs": ".txt", "pairs_file": ".txt", "files": ".json", "others": ".json", "lists": ".mat", "splits": ".txt",
          "file": ".bin"} | dict.fromkeys((*STORES, "gallery", "galleries"), ".parquet")  # fmt: skip
NEEDS = {
    "models import": ["--backbone", "sphereface4"],
    "ablate": ["--recipe", "sphereface4-small"],
    "identify": ["--threshold", "0.5"],
    "cluster": ["--threshold", "0.5"],
    "preprocess": ["--already-aligned"],
}
"""Without these a command would find something else amiss."""
ARGUMENTS = {"train": ["sphereface4-small"], "ablate": ["probface", "x=pairs crops --pairs p.csv"]}
TELLS_ANOTHER = "eval", "calibrate", "inspect", "ablate", "preprocess"
"""They read several files that belong together, of which another may be told, or write a list of what was left out."""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("name", "parameter"), CELLS)
def test_what_cannot_be_read(tmp_path, good, name, parameter, kind):
    photo, files = good
    entry = tmp_path / f"entry{SUFFIX.get(parameter, '.png')}"
    make(entry, kind)
    params = {each.name: each for each in ALL[name].params}
    given = {key: value for key, value in files.items() if key in params and key not in ("root", "strangers")}
    for output in DOORS[name].writes:
        if not output.changes and params[output.parameter].opts[0] != "--save" and output.parameter != "sheet":
            given[output.parameter] = tmp_path / f"out{output.suffixes[0] if output.suffixes else ''}"
    if name == "models import":
        given["name"] = "new"
    line = words(name, given | {parameter: entry}, photo)
    line += [*ARGUMENTS.get(name, ()), *([photo] if name == "compare" else ())]
    line += NEEDS.get(name, ()) if parameter != "strangers" else ()
    with time_limit(line):
        ended = run(*line)
    assert ended.code == 2, ended
    assert "Usage" not in ended.err and len(ended.err.splitlines()) <= 3, ended.err
    assert "entry" in ended.err + ended.out or name.split()[0] in TELLS_ANOTHER, ended
    assert os.path.lexists(entry)
    if kind not in ("another kind", "empty file"):
        assert ended.out == "" and "entry" in ended.err and not list(tmp_path.glob("out*"))
