"""A folder with more than thirty kinds of trouble in it: what each command that walks folders did, skipped and
could not read is together what lies there, and each is told."""

import io
import json
import os
import re
import socket
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from cli_commands import DOORS
from cli_run import run, tiny_model
from image_bytes import chunk, encode
from PIL import Image
from train_tiny import write_recipe
from verification_folders import write_crops, write_pairs

from facepipe.files import PassedOver
from facepipe.images import list_images, write_rgb

pytestmark = pytest.mark.slow


def good(face, form, **options):
    return lambda path: path.write_bytes(encode(face, form, **options))


def data(content):
    return lambda path: path.write_bytes(content)


def jpeg(face):
    return encode(face, "JPEG", quality=95)


def damaged(face):
    broken = bytearray(jpeg(face))
    broken[len(broken) // 2 : len(broken) // 2 + 60] = bytes(60)
    return bytes(broken)


def bomb():
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def pages(face, form):
    stream = io.BytesIO()
    first, second = Image.fromarray(face), Image.fromarray(face[::-1].copy())
    first.save(stream, form, save_all=True, append_images=[second])
    return stream.getvalue()


def make_socket(path):
    here = Path.cwd()
    os.chdir(path.parent)  # the path of a socket has 108 bytes
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path.name)
    os.chdir(here)


def folder_of(*names):
    def make(path):
        path.mkdir()
        for name in names:
            (path / name).write_bytes(b"x")

    return make


def troubles(face):
    """Name → what makes it. Each is one thing that lies there, whatever is in it."""
    rgba = np.dstack([face, np.full(face.shape[:2], 200, np.uint8)])
    deep = cv2.imencode(".png", (face[..., 0].astype(np.uint16) << 8))[1].tobytes()
    cmyk = encode(Image.fromarray(face).convert("CMYK"), "JPEG")
    return {
        # read
        "whole.png": good(face, "PNG"), "whole.jpg": data(jpeg(face)), "UPPER.JPG": data(jpeg(face)),
        "grey.png": good(face[..., 0], "PNG"), "cmyk.jpg": data(cmyk), "alpha.png": good(rgba, "PNG"),
        "deep.png": data(deep), "moving.gif": data(pages(face, "GIF")), "pages.tiff": data(pages(face, "TIFF")),
        "really-a-png.jpg": good(face, "PNG"), "damaged-inside.jpg": data(damaged(face)),
        "black.png": good(face // 60, "PNG"), "new\nline.png": good(face, "PNG"),
        os.fsdecode(b"bytes-\xff.png"): good(face, "PNG"), "a b  c.webp": good(face, "WEBP"),
        # cannot be read
        "empty.jpg": data(b""), "truncated.png": data(encode(face, "PNG")[:90]), "text.jpg": data(b"no photo"),
        "page.html.jpg": data(b"<html>not found</html>"), "bomb.png": data(bomb()),
        "noise.heic": data(bytes(range(99))),
        # skipped
        "raw.CR2": good(face, "TIFF"), "raw.dng": good(face, "TIFF"), "new.jxl": data(b"\xff\x0a"),
        "layers.psd": data(b"8BPS"), "film.mp4": data(b"film"), "film.MOV": data(b"film"), "notes.txt": data(b"hello"),
        "Thumbs.db": data(b"x"), "no-extension": data(jpeg(face)), ".DS_Store": data(b"x"), "._whole.png": data(b"x"),
        ".thumbnails": folder_of("a.jpg"), "@eaDir": folder_of("a.jpg"), "#recycle": folder_of("a.jpg", "b.jpg"),
        "gone.png": lambda path: path.symlink_to("nowhere.png"), "itself.png": lambda path: path.symlink_to(path),
        "twin.png": lambda path: path.symlink_to("whole.png"),
        "z-hard.png": lambda path: path.hardlink_to(path.with_name("whole.png")),
        "up": lambda path: path.symlink_to(path.parent), "pipe.png": os.mkfifo, "socket.png": make_socket,
    }  # fmt: skip


READ, UNREADABLE, PASSED = 15, 6, 21


@pytest.fixture(scope="module")
def there(tmp_path_factory, astronaut):
    """Photos of two people, one of them in trouble; a model; a gallery."""
    root = tmp_path_factory.mktemp("troubles")
    face = cv2.resize(astronaut[:300, 80:380], (112, 112), interpolation=cv2.INTER_AREA)[:, 8:104]
    for person in range(2):
        for image in range(2):
            write_rgb(root / "photos" / f"p{person}" / f"{image}.png", np.roll(face, 2 * person + image, 1))
    for name, make in troubles(face).items():
        make(root / "photos" / "p1" / name)
    model = tiny_model(root / "tiny")
    assert run("gallery", "build", root / "photos" / "p0", root / "g.parquet", "-m", model, "--no-turns").code == 0
    return root


def passed_over(told):
    return sum(each["count"] for each in told["passed_over"].values())


def of_lines(ended, sort):
    """Records of photos, in JSON Lines, and what was skipped."""
    photos = [line for line in ended.lines if "passed_over" not in line]
    failed = [line for line in photos if sort(line)]
    passed = sum(passed_over(line) for line in ended.lines if "passed_over" in line)
    return len(photos) - len(failed), passed, len(failed)


def in_words(text):
    """The counts of a line 'skipped: 1 video (a.mp4), 2 broken links (such as b.jpg)'."""
    line = next(line for line in text.splitlines() if "skipped: " in line).split("skipped: ")[1]
    return sum(int(count) for count in re.findall(r"(?:^|, )(\d+) [a-z]", re.sub(r"\([^()]*\)", "", line)))


def detect(root, out):
    ended = run("detect", root, "--json", "--no-border", "--no-turns", "--preset", "fast")
    return of_lines(ended, lambda line: "error" in line), ended


def align(root, out):
    ended = run("align", root, "-o", out / "a", "--json", "--no-border", "--no-turns", "--preset", "fast")
    return of_lines(ended, lambda line: bool(line["reason"])), ended


def embed(root, out):
    ended = run("embed", root, "-o", out / "e.parquet", "--already-aligned", "-m", root.parent / "tiny", "--json")
    return (ended.json["embedded"], passed_over(ended.json), ended.json["failed"]), ended


def preprocess(root, out):
    ended = run("preprocess", root, out / "c", "--already-aligned", "--json")
    told = ended.json
    assert told["total"] == sum(told["statuses"].values())
    return (told["crops"], passed_over(told), told["statuses"]["error"]), ended


def gallery(root, out, *words):
    quick = ["--no-border", "--no-turns", "--preset", "fast"]
    ended = run("gallery", *words, "-m", root.parent / "tiny", "--json", *quick)
    told = ended.json
    failed = sum(remark["kind"] == "no_face" for remark in told["remarks"])
    return (told["images"], passed_over(told), failed), ended


def gallery_build(root, out):
    return gallery(root, out, "build", root, out / "g.parquet")


def gallery_add(root, out):
    known = out / "known.parquet"
    known.write_bytes((root.parent / "g.parquet").read_bytes())
    (images, passed, failed), ended = gallery(root, out, "add", known, root, "--name", "new")
    return (images - 2, passed, failed), ended


def identify(root, out):
    words = ["-m", root.parent / "tiny", "--threshold", 0.5, "--json", "--no-border", "--no-turns", "--preset", "fast"]
    ended = run("identify", root.parent / "g.parquet", root, *words, "--summary", out / "s.json")
    told = json.loads((out / "s.json").read_text())
    return (told["photos"] - told["unreadable"], passed_over(told), told["unreadable"]), ended


SHORT = [
    word
    for one in (
        "model.input_size=[112,96]", "schedule.unit=steps", "schedule.length=8", "schedule.milestones=[]",
        "loop.batch=4", "data.workers=1", "data.max_corrupt=1.0", "data.min_images=1",
    )
    for word in ("--set", one)
]  # fmt: skip


def train(root, out):
    recipe = write_recipe(out / "recipe.toml")
    ended = run("train", recipe, "-d", root, "-o", out / "run", "--json", "--device", "cpu", *SHORT)
    told = ended.json
    return (told["images"] - told["unreadable"], in_words(ended.err), told["unreadable"]), ended


def calibrate(root, out):
    words = ["-o", out / "c.toml", "--already-aligned", "--far", 0.3, "--json"]
    ended = run("calibrate", root.parent / "tiny", root, *words)
    notes = "\n".join(ended.json["notes"])
    failed = int(re.search(r"(\d+) crops? left out that could not be read", notes)[1])
    return (ended.json["counts"]["images"], in_words(notes), failed), ended


def find(root, out):
    words = ["-m", root.parent / "tiny", "--threshold", 0.5, "--json", "--no-border", "--no-turns", "--preset", "fast"]
    ended = run("find", root / "p0" / "0.png", root, *words, "--forget")
    told = ended.json
    done = told["photos"] - len(told["failed"])
    return (done, passed_over(told), len(told["failed"])), ended


def bench(root, out):
    ended = run("bench", root, "-m", root.parent / "tiny", "--json", "--preset", "fast", "--device", "cpu")
    told = ended.json
    return (told["images"], passed_over(told), told["unreadable"]), ended


def eval_megaface(root, out):
    for name in ("q0", "q1"):
        (out / "probes" / name).mkdir(parents=True)
        for number in range(2):
            photo = root / "p0" / f"{number}.png"
            (out / "probes" / name / f"{number}.png").write_bytes(photo.read_bytes())
    words = ["-m", root.parent / "tiny", "--already-aligned", "--json", "--size", 4 + READ]
    ended = run("eval", "megaface", out / "probes", root, *words)
    told = ended.json
    return (told["sizes"][0]["distractors"], passed_over(told), told["unreadable"]["distractors"]), ended


def ablate(root, out):
    write_pairs(out / "pairs.csv", 2)
    write_crops(out / "crops", {f"p{person}/{image}.png": (person, image) for person in (0, 1) for image in range(4)})
    recipe = write_recipe(out / "recipe.toml")
    (out / "mine.toml").write_text(f'about="x"\nrecipe="{recipe}"\n[rows.all]\ntitle="all"\n')
    mine = f"mine=pairs {out / 'crops'} --pairs {out / 'pairs.csv'} --already-aligned"
    ended = run("ablate", out / "mine.toml", mine, "-d", root, "-o", out / "runs", "--json", "--device", "cpu", *SHORT)
    told = ended.json["rows"][0]
    return (told["images"] - told["unreadable"], in_words(ended.err), told["unreadable"]), ended


COMMANDS = {
    "detect": detect, "align": align, "embed": embed, "preprocess": preprocess, "gallery build": gallery_build,
    "gallery add": gallery_add, "identify": identify, "train": train, "calibrate": calibrate,
    "find": find, "bench": bench, "eval megaface": eval_megaface, "ablate": ablate,
}  # fmt: skip


def test_the_table_is_whole(there):
    """Every command that declares that it walks folders has its line above."""
    assert {name for name, door in DOORS.items() if door.walks} == COMMANDS.keys()
    assert len(list((there / "photos" / "p1").iterdir())) == 2 + READ + UNREADABLE + PASSED >= 32


def test_the_walk_itself(there):
    passed = PassedOver()
    assert len(list(list_images(there / "photos", passed=passed))) == 4 + READ + UNREADABLE
    assert len(passed) == PASSED, passed.counts


@pytest.mark.parametrize("name", COMMANDS)
def test_what_was_done_skipped_and_failed_is_what_lies_there(there, tmp_path, name):
    (done, passed, failed), ended = COMMANDS[name](there / "photos", tmp_path)
    assert ended.code == 0, ended.err
    assert (passed, done + failed) == (PASSED, 4 + READ + UNREADABLE), ended.err
    assert failed >= UNREADABLE
    if name in ("embed", "preprocess", "train", "calibrate", "identify"):
        assert failed == UNREADABLE
    assert "\nline" not in ended.err and "\x1b" not in ended.err


@pytest.mark.parametrize("name", ["detect", "align", "embed", "preprocess", "gallery build", "identify"])
def test_where_all_was_asked_for_the_exit_code_says_it(there, tmp_path, name):
    words = {
        "detect": ["detect", there / "photos"],
        "align": ["align", there / "photos", "-o", tmp_path / "a"],
        "embed": ["embed", there / "photos", "-o", tmp_path / "e.parquet", "--already-aligned", "-m", there / "tiny"],
        "preprocess": ["preprocess", there / "photos", tmp_path / "c", "--already-aligned"],
        "gallery build": ["gallery", "build", there / "photos", tmp_path / "g.parquet", "-m", there / "tiny"],
        "identify": ["identify", there / "g.parquet", there / "photos", "-m", there / "tiny", "--threshold", 0.5],
    }[name]
    quick = [] if "--already-aligned" in words else ["--no-border", "--no-turns", "--preset", "fast"]
    assert run(*words, *quick, "--strict").code == 1
