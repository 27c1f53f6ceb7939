"""What every command shows on terminals of 60, 80 and 120 columns, on a small world of its own.

``SCREENS`` has a command line or more for each command of facepipe; ``screen`` shows one. Golden copies, to be read by
eye, lie in ``tests/cli/golden``, those of help pages in ``tests/cli/golden/help``; ``python tests/golden_screens.py``
writes them anew, where a change of what commands show is meant.
"""

import os
import re
import shutil
import sys
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

from facepipe.images import write_rgb
from facepipe.zoo import Probability, read_card, save_card

WIDTHS = (60, 80, 120)
GOLDEN = Path(__file__).parent / "cli" / "golden"
HELP = "help"
GROUPS = ("", *sorted({name.split()[0] for name in ALL if " " in name}))
LONG = "people/Somebody with a long name/Cy (holiday in the mountains, second day).png"
MODEL = ["-m", "models/tiny"]
CROPS = [*MODEL, "--already-aligned"]

# Command → command lines; {w} is the width, of three digits.
SCREENS: dict[str, list[list[str]]] = {
    "preprocess": [["people", "out-{w}"], ["people", "out-{w}"]],
    "train": [["--resume", "-o", "run"], ["--list"]],
    "ablate": [["--list"]],
    "calibrate": [["models/tiny", "crops112", "--already-aligned", "--far", "0.1", "-o", "new-{w}.toml"]],
    "compare": [
        ["people/Ada/1.png", "one.png", *MODEL],
        ["one.png", "people/Ada/1.png", LONG, "people/Bo [mum]/1.png", "wall.png", *MODEL, "--threshold", "0.9999"],
        ["two.png", "one.png", *MODEL, "--threshold", "0.9999", "--prior", "0.01"],
        ["crops112/person00/0.png", "crops112/person00/1.png", "crops112/person01/0.png", *CROPS, "--all-pairs"],
        ["gone.png", "one.png"],
        ["wall.png", "one.png", *MODEL],
    ],
    "find": [
        ["one.png", "people", *MODEL, "--threshold", "0.9999"],
        ["two.png", "people", *MODEL, "--top", "1", "--threshold", "0.9999"],
    ],
    "detect": [["people", "two.png", "wall.png", "text.jpg"]],
    "align": [["people", "wall.png", "-o", "aligned-{w}"]],
    "embed": [["people", "wall.png", "text.jpg", "-o", "e-{w}.parquet", *MODEL]],
    "gallery build": [["people", "new-{w}.parquet", *MODEL]],
    "gallery add": [["new-{w}.parquet", "one.png", "--name", "Di", *MODEL]],
    "gallery list": [["g.parquet"]],
    "gallery merge": [["g.parquet", "new-{w}.parquet", "-o", "both-{w}.parquet"]],
    "gallery remove": [["new-{w}.parquet", "Di"]],
    "identify": [
        ["two.png", "wall.png", LONG, "g.parquet", *MODEL, "--threshold", "0.9999"],
        ["film.avi", "g.parquet", *MODEL, "--threshold", "0.9999", "--every", "4"],
        ["g.parquet", "one.png", *MODEL, "--threshold", "0.9999"],
    ],
    "search": [["one.png", "s.parquet", *MODEL, "--threshold", "0.9999"]],
    "cluster": [["c.parquet", "--threshold", "0.999"]],
    "inspect toy": [["--steps", "1", "-o", "toy-{w}.png"]],
    "inspect angles": [["c.parquet"], ["s.parquet"]],
    "inspect reliability": [["c.parquet", "--pairs", "pairs.csv", *MODEL]],
    "models list": [[], ["--backbones"]],
    "models show": [["models/tiny"]],
    "models pull": [["sface"]],
    "models export": [["models/tiny", "exported-{w}"]],
    "models import": [["sface", "models/tiny/weights.safetensors"]],
    "bench": [["people", *MODEL]],
    "demo": [["-o", "demo-{w}.png", *MODEL]],
    "completion": [["tcsh"]],
    "eval lfw": [["{lfw}"]],
    "eval cfp": [["{cfp-fp}"]],
    "eval pairs": [["{pairs}"], ["{pairs-one-class}"]],
    "eval bin": [["{bin}"]],
    "eval ytf": [["{ytf}"]],
    "eval ijba": [["{ijba-verify}"], ["{ijba-search}"]],
    "eval ijb": [["{ijb}"], ["{ijb-closed}"]],
    "eval megaface": [["{megaface}"]],
    "eval blufr": [["{blufr}"]],
    "eval openset": [["{openset}"]],
    "eval risk": [["{risk}"]],
    "eval compare": [["eval/lfw.json", "eval/pairs.json", "--resamples", "100"]],
}


def write_world(root: Path) -> dict[str, list[object]]:
    """Fill ``root``, which is the working folder; returns the command lines of the protocols."""
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
    assert run("embed", "people", "-o", "s.parquet", *MODEL).code == 0
    assert run("embed", "crops112", "-o", "c.parquet", *CROPS).code == 0
    pairs = [f"person00/0,person00/{k},1\nperson00/0,person0{k}/0,0\n" for k in (1, 2)]
    Path("pairs.csv").write_text("a,b,same\n" + "".join(pairs))
    cases = write_cases(Path("eval"))
    for name in ("lfw", "pairs"):
        Path(f"eval/{name}.json").write_text(run("eval", *cases[name], "--json").out)
    return cases


def screen(command: str, words: list[str], width: int, cases: dict[str, list[object]]) -> str:
    """The command line, and what it shows; figures that a processor or a library may change are #."""
    line: list[object] = []
    for word in words:
        line += cases[word[1:-1]][1:] if word[1:-1] in cases else [word.replace("{w}", f"{width:03d}")]
    with pytest.MonkeyPatch.context() as patch:
        _stand_ins(patch, width)
        told = shown_on_terminal(width, *command.split(), *line)
    shown = " ".join(["facepipe", command, *(f"'{word}'" if " " in str(word) else str(word) for word in line)])
    # First, since the width's digits may occur in a digest.
    out = told.out if command.startswith("eval ") else re.sub(r"[0-9a-f]{12,}", _hashes, told.out)
    text = out.replace(f"{width:03d}", "www")
    text = f"$ {shown.replace(f'{width:03d}', 'www')}\n{text}"
    # What protocols say is made of figures that are written down, to the digit.
    return (text if command.startswith("eval ") else _masked(text)) + f"[exit code {told.code}]\n"


def _stand_ins(patch: pytest.MonkeyPatch, width: int) -> None:
    """In place of what takes long or needs a network."""
    from requests import ConnectionError as Unreachable

    from facepipe.bench import StageRow

    def get(*_: object, **__: object) -> None:
        raise Unreachable("no route")

    patch.setenv("FACEPIPE_CACHE", f"cache-{width:03d}")
    patch.setattr("requests.get", get)
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


def write_screens(folder: Path) -> None:
    """Write the golden copies of all commands."""
    from tempfile import TemporaryDirectory

    folder.mkdir(exist_ok=True)
    with TemporaryDirectory() as name:
        root = Path(name).resolve()
        os.chdir(root)
        os.environ["FACEPIPE_CACHE"] = "cache"
        cases = write_world(root)
        for command, lines in SCREENS.items():
            (folder / file_name(command)).write_text(all_screens(command, lines, cases))
        os.chdir("/")
        shutil.rmtree(root, ignore_errors=True)
    (folder / HELP).mkdir(exist_ok=True)
    for command in (*GROUPS, *ALL):
        (folder / HELP / file_name(command or "facepipe")).write_text(help_pages(command))


def all_screens(command: str, lines: list[list[str]], cases: dict[str, list[object]]) -> str:
    """The screens of a command at all widths."""
    parts = []
    for width in WIDTHS:
        parts.append(f"{'=' * (width - 4)} {width}\n")
        parts += [screen(command, words, width, cases) for words in lines]
    return "".join(parts)


def help_pages(command: str) -> str:
    """What ``--help`` shows at all widths; the empty name is that of facepipe itself."""
    pages = []
    for width in WIDTHS:
        told = shown_on_terminal(width, *command.split(), "--help")
        assert told.code == 0
        pages.append(f"{'=' * (width - 4)} {width}\n{told.out}")
    return "".join(pages)


def file_name(command: str) -> str:
    """Of a golden copy."""
    return f"{command.replace(' ', '-')}.txt"


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    write_screens(GOLDEN)
