"""Every writer on a disk that takes no more: one line, exit code 2, the old file stays, and nothing half-written."""

import resource
import shutil
import sys
from contextlib import contextmanager
from dataclasses import replace

import cv2
import numpy as np
import pytest
from cli_commands import ALL, DOORS
from cli_run import run, tiny_model
from eval_cases import write_cases
from golden_screens import _toy, protocol_lines
from moving_squares import write_video
from train_tiny import write_recipe

from facepipe.embedding import Embeddings, save_embeddings
from facepipe.images import write_rgb
from facepipe.zoo import Probability, read_card, save_card

pytestmark = pytest.mark.slow
ROOM = 40
"""Bytes that a file may have: a limit of the process, which writers in C meet like a full disk."""
WRITES = [(name, output.parameter) for name, door in DOORS.items() for output in door.writes]
CACHED = [("find", "cache"), ("models import", "cache")]
"""Commands that write into the cache, which is no parameter of theirs."""
CELLS = [*WRITES, *CACHED]


@contextmanager
def full_disk():
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # A module that is first imported here would leave its bytecode cut off, for other tests to fail by.
    compiles, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, hard))
    try:
        yield
    finally:
        sys.dont_write_bytecode = compiles
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture(scope="module")
def good(tmp_path_factory, astronaut):
    root = tmp_path_factory.mktemp("good")
    face = cv2.resize(astronaut[:300, 80:380], (112, 112))[:, 8:104]
    for person in range(4):
        for image in range(3):
            write_rgb(root / "photos" / f"p{person}" / f"{image}.png", np.roll(face, 2 * person + image, 1))
    write_video(root / "film.mp4", [np.roll(face, number, 1) for number in range(4)])
    model = tiny_model(root / "tiny")
    for command, out in (("embed", "e.parquet"), ("gallery build", "g.parquet")):
        line = [*command.split(), root / "photos", *(["-o"] if command == "embed" else []), root / out, "-m", model]
        assert run(*line, *(["--faces", "largest"] if command == "embed" else [])).code == 0
    names = tuple(f"p{number // 3}/{number % 3}.png" for number in range(12))
    mu = np.random.default_rng(0).normal(size=(12, 8)).astype(np.float32)
    save_embeddings(root / "m.parquet", Embeddings(mu, "m@1/c", paths=names))
    rows = [f"p{p}/{i}.png,p{(p + d) % 4}/{(i + 1 - d) % 3}.png,{1 - d}" for p in range(4) for i in range(3)
            for d in (0, 1)]  # fmt: skip
    (root / "pairs.csv").write_text("\n".join(["a,b,same", *rows]) + "\n")
    tiny_model(root / "sure")
    card = read_card(root / "sure" / "card.toml")
    curve = Probability(slope=20.0, offset=-6.0, fitted_on="nobody")
    save_card(replace(card, probabilities=(curve,)), root / "sure" / "card.toml")
    return root


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    """Protocol → a command line of it."""
    root = tmp_path_factory.mktemp("cases")
    write_cases(root)
    return protocol_lines(root)


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch, tmp_path, good):
    """In place of what takes long or is not installed everywhere."""
    monkeypatch.setattr("facepipe.train.toy.train_toy", _toy)
    monkeypatch.setattr("facepipe.cli.commands.demo.packaged_photo", lambda _: good / "photos" / "p0" / "0.png")
    monkeypatch.setenv("FACEPIPE_CACHE", str(tmp_path / "cache"))


def line_of(name, parameter, good, out, cases):
    """A command line that writes what ``parameter`` names, and the file or folder."""
    photos, photo, m = good / "photos", good / "photos" / "p0" / "0.png", ["-m", good / "tiny"]
    store, gallery, mine = good / "e.parquet", good / "g.parquet", out / "mine.parquet"
    pairs = ["--pairs", good / "pairs.csv", "--already-aligned", *m]
    risk = ["eval", "risk", photos, *pairs, "--format", "csv", "--fmr", 0.3]
    short = ["model.input_size=[112,96]", "schedule.unit=steps", "schedule.length=1", "schedule.milestones=[]",
             "loop.batch=4"]  # fmt: skip
    over = "--overwrite"
    table = {
        ("ablate", "folder"): (["ablate", "probface", f"X=pairs {photos} --pairs {good / 'pairs.csv'}",
                                "-d", photos, "-o", out / "runs", "--device", "cpu", "--set", "data.held_out=0",
                                "--set", f"uncertainty.backbone={good / 'tiny'}"], out / "runs"),
        ("inspect toy", "output"): (["inspect", "toy", "--steps", 1, "-o", out / "toy.svg", over], out / "toy.svg"),
        ("inspect reliability", "output"): (["inspect", "reliability", store, "--pairs", good / "pairs.csv", "-m",
                                             good / "sure", "-o", out / "r.svg", over], out / "r.svg"),
        ("demo", "out"): (["demo", "-o", out / "d.png", *m, over], out / "d.png"),
        ("find", "cache"): (["find", photo, photos, *m], out / "cache"),
        ("models import", "cache"): (["models", "import", "mine", good / "tiny"], out / "cache"),
        ("preprocess", "out"): (["preprocess", photos, out, "--already-aligned"], out),
        ("train", "run"): (["train", write_recipe(good / "recipe.toml"), "-d", photos, "-o", out / "run",
                            *(word for one in short for word in ("--set", one))], out / "run"),
        ("eval pairs", "save"): (["eval", "pairs", photos, *pairs, "--save", mine], mine),
        ("eval risk", "save"): ([*risk, "--save", mine], mine),
        ("eval risk", "plot"): ([*risk, "--plot", out / "p.png", over], out / "p.png"),
        ("eval risk", "csv_file"): ([*risk, "--csv", out / "p.csv", over], out / "p.csv"),
        ("eval risk", "sheet"): ([*risk, "--confidence", "norm", "--sheet", out / "p.jpg", over], out / "p.jpg"),
        ("eval megaface", "save"): (["eval", "megaface", good / "m.parquet", good / "m.parquet", "--size", 3, "--save",
                                     mine, over], out / "mine-probes.parquet"),
        ("eval megaface", "export"): (["eval", "megaface", good / "m.parquet", good / "m.parquet", "--size", 3,
                                       "--export", out], out / "facescrub" / "p0" / "0.png_facepipe.bin"),
        ("calibrate", "out"): (["calibrate", good / "tiny", photos, "-o", out / "c.toml", "--already-aligned", "--far",
                                0.3, over], out / "c.toml"),
        ("compare", "save"): (["compare", photo, photo.with_name("1.png"), *m, "--save", out / "a.png", over],
                              out / "a.png"),
        ("detect", "save"): (["detect", photo, "--save", out, over], out / "photos_p0_0.jpg"),
        ("align", "out"): (["align", photo, "-o", out, over], out / "0.png"),
        ("embed", "out"): (["embed", photos, "-o", mine, "--already-aligned", *m, over], mine),
        ("embed", "sheet"): (["embed", photos, "--sheet", out / "s.jpg", "--sort", "norm", "--already-aligned", *m,
                              over], out / "s.jpg"),
        ("gallery add", "gallery"): (["gallery", "add", mine, photo, "--name", "new", *m], mine),
        ("gallery build", "gallery"): (["gallery", "build", photos, mine, *m, over], mine),
        ("gallery merge", "gallery"): (["gallery", "merge", gallery, gallery, "-o", mine, over], mine),
        ("gallery remove", "gallery"): (["gallery", "remove", mine, "p1"], mine),
        ("identify", "save"): (["identify", good / "film.mp4", gallery, "--threshold", 0.5, *m, "--no-sound", "--save",
                                out / "f.mp4", over], out / "f.mp4"),
        ("identify", "summary"): (["identify", photo, gallery, "--threshold", 0.5, *m, "--summary", out / "s.json",
                                   over], out / "s.json"),
        ("search", "index"): (["search", store, store, "--index", out / "i.npy", over], out / "i.npy"),
        ("cluster", "sheets"): (["cluster", store, "--threshold", 0.1, *m, "--sheets", out, over],
                                out / "group-0000.jpg"),
        ("inspect angles", "output"): (["inspect", "angles", store, "-o", out / "a.svg", over], out / "a.svg"),
        ("models export", "out"): (["models", "export", good / "tiny", out, over], out / "tiny.safetensors"),
    }  # fmt: skip
    if parameter == "save" and (name, parameter) not in table:
        return [*cases[name.removeprefix("eval ")], "--save", mine], mine
    return table[name, parameter]


@pytest.mark.parametrize(("name", "parameter"), CELLS)
def test_a_full_disk(tmp_path, good, cases, name, parameter):
    line, target = line_of(name, parameter, good, tmp_path, cases)
    if target.name == "mine.parquet":
        shutil.copy(good / ("g.parquet" if parameter == "gallery" else "e.parquet"), target)
    elif target.suffix:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(b"mine")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with full_disk():
        ended = run(*line)
    assert ended.code == 2, ended
    (last,) = [each for each in ended.err.splitlines() if each.startswith("facepipe: ")]
    assert "too large" in last or "full" in last or "could not" in last or "cannot be written" in last, ended.err
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert {path: after.get(path) for path in before} == before
    assert not [path for path in after if path.suffix == ".tmp"]


def test_the_table_holds_every_writer():
    assert len(WRITES) >= 37 and {name for name, _ in CACHED} <= set(ALL)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp"])
def test_every_format_of_pictures(tmp_path, good, suffix):
    photo = good / "photos" / "p0" / "0.png"
    target = tmp_path / f"a{suffix}"
    target.write_bytes(b"mine")
    with full_disk():
        ended = run("compare", photo, photo.with_name("1.png"), "-m", good / "tiny", "--save", target, "--overwrite")
    assert ended.code == 2 and target.read_bytes() == b"mine" and list(tmp_path.iterdir()) == [target]


def test_an_approximate_index(tmp_path, good):
    """faiss writes in C."""
    pytest.importorskip("faiss")
    index = tmp_path / "i.faiss"
    line = ["search", good / "e.parquet", good / "e.parquet", "--index", index]
    assert run(*line).code == 0
    before = index.read_bytes()
    with full_disk():
        ended = run(*line, "--overwrite")
    assert ended.code == 2 and index.read_bytes() == before, ended
    assert len([each for each in ended.err.splitlines() if each.startswith("facepipe: ")]) == 1


@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".mkv", ".webm"])
def test_every_format_of_videos(tmp_path, good, suffix):
    copy = tmp_path / f"f{suffix}"
    copy.write_bytes(b"mine")
    line = ["identify", good / "film.mp4", good / "g.parquet", "--threshold", 0.5, "-m", good / "tiny", "--no-sound"]
    with full_disk():
        ended = run(*line, "--save", copy, "--overwrite")
    assert ended.code == 2 and copy.read_bytes() == b"mine" and list(tmp_path.iterdir()) == [copy], ended
