"""What every command shows on terminals of 60, 80 and 120 columns, on a small world of its own.

Golden copies, to be read by eye, lie in ``tests/cli/golden``: one transcript for each command. Its lines that begin
with ``$ facepipe`` say what is run, on files of `write_world`; the help page comes first. For a new command, write such
lines into a file of its name. ``python tests/golden_screens.py`` writes all transcripts anew, where a change of what
commands show is meant, and with names of commands only theirs.
"""

import os
import re
import shlex
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from cli_commands import ALL
from cli_run import shown_on_terminal, tiny_model
from eval_cases import write_cases
from train_tiny import write_folders, write_recipe

from facepipe.evaluation import PROTOCOLS
from facepipe.images import write_rgb
from facepipe.zoo import Probability, read_card, save_card

WIDTHS = (60, 80, 120)
GOLDEN = Path(__file__).parent / "cli" / "golden"
HELP = "--help"
GROUPS = ("", *sorted({name.split()[0] for name in ALL if " " in name}))
PAGES = (*GROUPS, *ALL)
"""Whatever has a ``--help``."""
LONG = "people/Somebody with a long name/Cy (holiday in the mountains, second day).png"
MODEL = ["-m", "models/tiny"]
CROPS = [*MODEL, "--already-aligned"]


def write_world(root: Path) -> None:
    """Fill ``root``, which is the working folder. No screen needs what another one wrote."""
    from cli_run import run
    from skimage.data import astronaut

    assert Path.cwd() == root
    face = cv2.resize(astronaut()[:300, 80:380], (150, 150), interpolation=cv2.INTER_AREA)
    mirror, brighter = np.ascontiguousarray(face[:, ::-1]), np.clip(face + 40.0, 0, 255).astype(np.uint8)
    for name, pixels in (
        ("one.png", face),
        ("people/Ada/1.png", face),
        ("people/Bo [mum]/1.png", mirror),
        (LONG, brighter),
        ("two.png", np.concatenate([face, mirror], 1)),
        ("wall.png", np.full((60, 60, 3), 90, np.uint8)),
    ):
        write_rgb(Path(name), pixels)
    Path("text.jpg").write_text("no image")
    film = cv2.VideoWriter("film.avi", cv2.VideoWriter_fourcc(*"MJPG"), 8, (150, 150))
    for _ in range(9):
        film.write(cv2.cvtColor(face, cv2.COLOR_RGB2BGR))
    film.release()
    model = tiny_model(Path("models/tiny"))
    card = read_card(model / "card.toml")
    curve = Probability(slope=20.0, offset=-6.0, fitted_on="nobody")
    save_card(replace(card, probabilities=(curve,)), model / "card.toml")
    write_folders(Path("crops"), 3, 4)
    write_folders(Path("crops112"), 6, 3, (112, 96))
    write_recipe(Path("recipe.toml"))
    assert run("train", "recipe.toml", "-d", "crops", "-o", "run").code == 0
    assert run("gallery", "build", "people", "g.parquet", *MODEL).code == 0
    copies = [Path(f"{name}-{width:03d}.parquet") for name in ("more", "fewer") for width in WIDTHS]
    for copy in (*copies[: len(WIDTHS)], Path("with-di.parquet")):
        shutil.copy("g.parquet", copy)
    assert run("gallery", "add", "with-di.parquet", "one.png", "--name", "Di", *MODEL).code == 0
    for copy in copies[len(WIDTHS) :]:
        shutil.copy("with-di.parquet", copy)
    assert run("embed", "people", "-o", "s.parquet", *MODEL).code == 0
    assert run("embed", "crops112", "-o", "c.parquet", *CROPS).code == 0
    pairs = [f"person00/0,person00/{k},1\nperson00/0,person0{k}/0,0\n" for k in (1, 2)]
    Path("pairs.csv").write_text("a,b,same\n" + "".join(pairs))
    cases = write_cases(Path("eval"))
    for name in ("lfw", "pairs"):
        Path(f"eval/{name}.json").write_text(run("eval", *cases[name], "--json").out)


def screen(words: list[str], width: int) -> str:
    """The command line, and what it shows. www is the width; figures that a processor or a library may change are #.

    Lists of commands in help pages are left out: they are tested against the commands.
    """
    line = [word.replace("www", f"{width:03d}") for word in words]
    with pytest.MonkeyPatch.context() as patch:
        if HELP not in line:
            _stand_ins(patch, width)
        told = shown_on_terminal(width, *line)
    shown = " ".join(["facepipe", *(f"'{word}'" if " " in word else word for word in words)])
    text = told.out
    if HELP in line:
        text = re.sub(r"(?<=^Commands:\n).*", "  ...\n", text, flags=re.M | re.S)
    # What protocols say is made of figures that are written down, to the digit.
    elif line[0] != "eval":
        # First, since the width's digits may occur in a digest.
        text = _masked(re.sub(r"[0-9a-f]{12,}", _hashes, text).replace(f"{width:03d}", "www"))
    return f"$ {shown}\n{text}[exit code {told.code}]\n"


def _stand_ins(patch: pytest.MonkeyPatch, width: int) -> None:
    """In place of what takes long or needs a network."""
    from requests import ConnectionError as Unreachable

    from facepipe.bench import StageRow

    def get(*_: object, **__: object) -> None:
        raise Unreachable("no route")

    patch.setenv("FACEPIPE_CACHE", f"cache-{width:03d}")
    patch.setattr("requests.Session.get", get)
    portraits = {"Eileen Collins": Path("one.png"), "Grace Hopper": Path("people/Bo [mum]/1.png")}
    patch.setattr("facepipe.cli.commands.demo.packaged_photo", portraits.__getitem__)
    patch.setattr("facepipe.train.toy.train_toy", _toy)
    patch.setattr("facepipe.report.toy_plot.plot_toy", lambda *_: None)
    for protocol in ("openset", "blufr"):  # each file is read in a process of its own
        patch.setattr(f"facepipe.datasets.templates.{protocol}.read_mat", _read_once)
    rows = [StageRow("detect", "facepipe", 71.2, None), StageRow("detect", "facenet-pytorch", 22.1, 3.22)]
    patch.setattr("facepipe.bench.bench", lambda *_: rows)


@cache
def _read_once(path: Path, *rest: object) -> Any:
    from facepipe.datasets.mat_file import read_mat

    return read_mat(path, *rest)


def _toy(loss: Any, dim: int, *_: object) -> Any:
    from facepipe.train.toy import ToyFeatures

    labels = np.arange(6) % 2
    features, means = (np.eye(count, dim, dtype=np.float32) for count in (6, 2))
    return ToyFeatures(loss, features, labels, means, 0.5, 0.9)


def _hashes(digest: re.Match[str]) -> str:
    return "#" * len(digest[0])


def _masked(text: str) -> str:
    """Figures of photos, weights and machines masked, digit by digit, so that columns stay where they are."""
    lines = []
    for line in text.splitlines():
        if not line.startswith("$ "):
            line = re.sub(r"^(torch|device|threads|detection): .*", r"\1: #", line)
            line = re.sub(r"1 × \w+$", "1 × #", line)
            line = re.sub(r"(?<!FAR )\d+\.\d+", lambda match: re.sub(r"\d", "#", match[0]), line)
        lines.append(f"{line}\n")
    return "".join(lines)


def write_screens(folder: Path, commands: Sequence[str]) -> None:
    """Write the golden copies of these commands."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as name:
        root = Path(name).resolve()
        os.chdir(root)
        os.environ["FACEPIPE_CACHE"] = "cache"
        write_world(root)
        for command in commands:
            path = folder / file_name(command)
            before = path.read_text(encoding="utf-8") if path.is_file() else ""
            path.write_text(transcript(command, before), encoding="utf-8")
        os.chdir("/")
        shutil.rmtree(root, ignore_errors=True)


def transcript(command: str, before: str) -> str:
    """Help page and screens of a command at all widths; ``before`` is a transcript with its command lines."""
    lines = [[*command.split(), HELP], *(words for words in command_lines(before) if HELP not in words)]
    parts = []
    for width in WIDTHS:
        parts.append(f"{'=' * (width - 4)} {width}\n")
        parts += [screen(words, width) for words in lines]
    return "".join(parts)


def command_lines(text: str) -> list[list[str]]:
    """The command lines of a transcript, each as words without ``facepipe``, as they are at the first width."""
    first = re.split(rf"^=+ {WIDTHS[1]}$", text, flags=re.M)[0]
    return [shlex.split(line)[2:] for line in first.splitlines() if line.startswith("$ facepipe ")]


def protocol_lines(root: Path) -> dict[str, list[str]]:
    """Protocol → the words of its first screen, on the files that ``write_cases(root)`` wrote."""
    lines = {}
    for name in PROTOCOLS:
        text = (GOLDEN / file_name(f"eval {name}")).read_text(encoding="utf-8")
        words = next(words for words in command_lines(text) if HELP not in words)
        lines[name] = [str(root / word[5:]) if word.startswith("eval/") else word for word in words]
    return lines


def file_name(command: str) -> str:
    """Of a golden copy; the empty name is that of facepipe itself."""
    return f"{command.replace(' ', '-') or 'facepipe'}.txt"


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    write_screens(GOLDEN, sys.argv[1:] or PAGES)
