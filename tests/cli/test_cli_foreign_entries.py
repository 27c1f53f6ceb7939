"""What lies in a folder and is no photo, for every command that walks folders: told with a count, and nothing else
changes."""

import json
import os
import shutil
import signal
import socket
from pathlib import Path

import cv2
import numpy as np
import pytest
from cli_commands import DOORS
from cli_run import run, tiny_model
from train_tiny import write_recipe

from facepipe.images import write_rgb

pytestmark = pytest.mark.slow
LIMIT = 300
KINDS = {
    "system folder": "1 system folder",
    "unreadable folder": "1 folder that cannot be read",
    "named pipe": "1 special file",
    "socket": "1 special file",
    "broken link": "1 broken link",
    "link loop": "1 folder reached twice",
    "link to itself": "1 broken link",
    "hard link": "1 file reached twice",
    "symbolic link": "1 file reached twice",
    "another kind": "1 video",
}
WALKING = [name for name, door in DOORS.items() if door.walks]
CELLS = [(name, kind) for name in WALKING for kind in KINDS]
OTHER = {"passed_over", "samples_per_second", "remarks", "notes", "run", "out", "gallery", "card", "manifest",
         "skipped", "kept"}  # fmt: skip
"""Fields that say where something lies, how fast it went, or what was passed over."""


@pytest.fixture(scope="module")
def good(tmp_path_factory, astronaut):
    """Photos of four people, a gallery, a model."""
    root = tmp_path_factory.mktemp("good")
    face = cv2.resize(astronaut[:300, 80:380], (112, 112))[:, 8:104]
    for person in range(4):
        for image in range(3):
            write_rgb(root / "photos" / f"p{person}" / f"{image}.png", np.roll(face, 2 * person + image, 1))
    shutil.copytree(root / "photos", root / "others")
    pairs = "p0/0.png,p0/1.png,1\np0/0.png,p1/0.png,0\n"
    (root / "pairs.csv").write_text("a,b,same\n" + pairs + pairs.replace("p0", "p2"))
    model = tiny_model(root / "tiny")
    assert run("gallery", "build", root / "photos" / "p0", root / "g.parquet", "-m", model).code == 0
    return root


def make(folder, kind):
    photo = folder / "p1" / "0.png"
    if kind == "system folder":
        shutil.copytree(folder / "p2", folder / "@eaDir")
    elif kind == "unreadable folder":
        shutil.copytree(folder / "p2", folder / "locked")
    elif kind == "named pipe":
        os.mkfifo(folder / "p1" / "pipe.png")
    elif kind == "socket":
        here = Path.cwd()
        os.chdir(folder / "p1")  # the path of a socket has 108 bytes
        with socket.socket(socket.AF_UNIX) as made:
            made.bind("socket.png")
        os.chdir(here)
    elif kind == "broken link":
        (folder / "p1" / "gone.png").symlink_to(folder / "nowhere.png")
    elif kind == "link loop":
        (folder / "p1" / "up").symlink_to(folder)
    elif kind == "link to itself":
        (folder / "p1" / "self.png").symlink_to(folder / "p1" / "self.png")
    elif kind == "hard link":
        (folder / "p1" / "z.png").hardlink_to(photo)
    elif kind == "symbolic link":
        (folder / "p1" / "z.png").symlink_to(photo)
    else:
        (folder / "p1" / "film.mp4").write_bytes(b"film")


def write_ablation(path):
    path.write_text('about = "one row"\nrecipe = "sphereface4-small"\n[rows.one]\ntitle = "one"\n')
    return path


def lines_of(name, good, photos, out):
    """A command line that walks ``photos``."""
    model = ["-m", good / "tiny", "--json"]
    gallery = shutil.copy(good / "g.parquet", out / "known.parquet") if "gallery add" in name else good / "g.parquet"
    recipe = write_recipe(out / "recipe.toml")
    short = ["model.input_size=[112,96]", "schedule.unit=steps", "schedule.length=1", "schedule.milestones=[]",
             "loop.batch=4", "data.workers=1"]  # fmt: skip
    lines = {
        "preprocess": ["preprocess", photos, out / "crops", "--already-aligned", "--json"],
        "train": ["train", recipe, "-d", photos, "-o", out / "run", "--json", "--device", "cpu",
                  *(word for one in short for word in ("--set", one))],
        "ablate": ["ablate", write_ablation(out / "rows.toml"), f"X=pairs {good / 'others'} --already-aligned --pairs "
                   f"{good / 'pairs.csv'}", "--recipe", recipe, "-d", photos, "-o", out / "runs", "--json", "--device",
                   "cpu", *(word for one in short for word in ("--set", one))],
        "calibrate": ["calibrate", good / "tiny", photos, "-o", out / "c.toml", "--already-aligned", "--far", 0.3,
                      "--json"],
        "detect": ["detect", photos, "--json"],
        "align": ["align", photos, "-o", out / "aligned", "--json"],
        "embed": ["embed", photos, "-o", out / "e.parquet", "--already-aligned", *model],
        "gallery build": ["gallery", "build", photos, out / "g.parquet", *model],
        "gallery add": ["gallery", "add", gallery, photos, *model],
        "identify": ["identify", gallery, photos, "--threshold", 0.5, *model],
        "find": ["find", photos / "p0" / "0.png", photos, *model],
        "eval megaface": ["eval", "megaface", photos, photos, "--already-aligned", "--size", 9, *model],
        "bench": ["bench", photos, *model],
    }  # fmt: skip
    assert name in lines, f"{name} walks folders of photos: add a line of it to `lines_of`, as for the others"
    return lines[name]


def outcome(name, good, photos, out, monkeypatch):
    """Exit code, what is on stdout without places and speeds, and all words."""
    out.mkdir()
    usual = os.scandir

    def scandir(path="."):
        if "locked" in os.fspath(path):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return usual(path)

    def end(*_):
        raise AssertionError(f"{name}: still at it after {LIMIT} s")

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(LIMIT)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(os, "scandir", scandir)  # root may list any folder
            patch.setattr("facepipe.bench.bench", lambda *_: [])  # measures for half a minute
            ended = run(*lines_of(name, good, photos, out))
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    text = ended.out.replace(str(photos), "PHOTOS").replace(str(out), "OUT")
    try:
        values = [json.loads(text)]
    except ValueError:
        values = [json.loads(line) for line in text.splitlines()]
    return ended.code, [left for value in values if (left := scrub(value)) not in ({}, [])], ended.out + ended.err


def scrub(value):
    if isinstance(value, dict):
        return {key: scrub(each) for key, each in value.items() if key not in OTHER}
    return [scrub(each) for each in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def plain(good, tmp_path_factory):
    """What each command says of the photos alone."""
    told = {}

    def ask(name):
        if name not in told:
            with pytest.MonkeyPatch.context() as patch:
                told[name] = outcome(name, good, good / "photos", tmp_path_factory.mktemp("plain") / "out", patch)
        return told[name]

    return ask


@pytest.mark.parametrize(("name", "kind"), CELLS)
def test_it_is_told_and_changes_nothing(tmp_path, good, plain, name, kind, monkeypatch):
    photos = tmp_path / "photos"
    shutil.copytree(good / "photos", photos)
    make(photos, kind)
    code, values, words = outcome(name, good, photos, tmp_path / "out", monkeypatch)
    expected_code, expected, _ = plain(name)
    assert (code, expected_code) == (0, 0), words
    assert values == expected
    assert KINDS[kind] in words, words


def test_every_command_that_walks_is_in_the_table():
    assert len(WALKING) >= 13 and len(CELLS) == 10 * len(WALKING)
