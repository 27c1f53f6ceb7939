"""Thirty examples of ten kinds of trouble, three of each, none of them a report of a user: what each did before the
walk, the reader, the writer and the manners of commands were made one, and what must hold now."""

import os
import shutil
import stat
import subprocess
import sys
from contextlib import chdir
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from cli_run import refused, run, tiny_model
from image_bytes import encode
from PIL import Image, PngImagePlugin
from train_tiny import write_folders, write_recipe

from facepipe.images import read_image, write_rgb

pytestmark = pytest.mark.slow
EXAMPLES = []
"""Kind, what is tried, what it did before, and the function that tries it."""
KINDS = (
    "removal and privacy", "damaged pictures", "things counted that are none", "data that vanish", "untrue records",
    "hangs", "tracebacks", "one bad entry", "words and terminals", "manners of a process",
)  # fmt: skip


def example(kind, what, before):
    """Enter a function into the table."""

    def enter(function):
        EXAMPLES.append((KINDS[kind - 1], what, before, function))
        return function

    return enter


@pytest.fixture(scope="module")
def face(astronaut):
    return cv2.resize(astronaut[:300, 80:380], (200, 200), interpolation=cv2.INTER_AREA)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def world(tmp_path, face, model):
    """A folder to work in, with photos of two people; ``model`` and ``face``."""
    for number, name in enumerate(("ada", "bo")):
        write_rgb(tmp_path / "people" / name / f"{name}.png", np.roll(face, 3 * number, 1))
    with chdir(tmp_path):
        yield {"face": face, "model": ["-m", model]}


@pytest.mark.parametrize("number", range(30))
def test_example(number, world):
    EXAMPLES[number][-1](world)


def test_there_are_three_of_each_kind():
    kinds = [kind for kind, *_ in EXAMPLES]
    assert {kind: kinds.count(kind) for kind in KINDS} == dict.fromkeys(KINDS, 3)
    assert all(what and before for _, what, before, _ in EXAMPLES)


def build(world, *words):
    return run("gallery", "build", *words, *world["model"], "--no-turns", "--no-border")


def crops(world, out, *paths):
    return run("embed", *paths, "-o", out, "--already-aligned", *world["model"])


@example(1, "gallery remove through a link to a link", "the file behind still held her, the link became a file")
def chain_of_links(world):
    Path("real").mkdir()
    build(world, "people", "real/g.parquet")
    Path("one.parquet").symlink_to("real/g.parquet")
    Path("two.parquet").symlink_to("one.parquet")
    assert run("gallery", "remove", "two.parquet", "ada").code == 0
    assert run("gallery", "list", "--json", "real/g.parquet").json["people"] == {"bo": 1}
    assert Path("two.parquet").is_symlink() and Path("one.parquet").is_symlink()


@example(1, "gallery merge into a gallery of mode 640", "it was readable by everybody (644)")
def mode_of_a_merged_gallery(world):
    for name in ("ada", "bo"):
        build(world, f"people/{name}", f"{name}.parquet")
    Path("ada.parquet").chmod(0o640)
    assert run("gallery", "merge", "ada.parquet", "bo.parquet", "-o", "ada.parquet").code == 0
    assert stat.S_IMODE(Path("ada.parquet").stat().st_mode) == 0o640


@example(1, "embed once more through a link, a person's photos deleted", "the file behind still held her embedding")
def embeddings_through_a_link(world):
    Path("real").mkdir()
    crops(world, "real/e.parquet", "people")
    Path("e.parquet").symlink_to("real/e.parquet")
    shutil.rmtree("people/ada")
    assert crops(world, "e.parquet", "people").code == 0
    assert pq.read_table("real/e.parquet")["path"].to_pylist() == ["people/bo/bo.png"]
    assert Path("e.parquet").is_symlink()


def damaged(data, name, size, byte=0xAA, place=0.5):
    broken = bytearray(data)
    at = int(place * len(broken))
    broken[at : at + size] = bytes([byte]) * size
    Path(name).write_bytes(broken)
    ended = run("detect", name, "people/ada/ada.png", "--no-border")
    assert "damaged inside" in ended.err and run("detect", name, "--strict", "--no-border").code == 2


@example(2, "64 bytes of a progressive JPEG overwritten", "compare: same person, over 99.99 %, and not a word")
def progressive(world):
    damaged(encode(world["face"], "JPEG", quality=90, progressive=True), "a.jpg", 64)


@example(2, "a hole of zeros in a JPEG, as a half-restored disk leaves it", "same person, over 99.99 %, not a word")
def hole(world):
    damaged(encode(world["face"], "JPEG", quality=95), "a.jpg", 2048, 0, 0.6)


@example(2, "a piece overwritten in a TIFF of JPEG strips", "same person, over 99.99 %, and not a word")
def tiff_of_jpeg(world):
    damaged(encode(world["face"], "TIFF", compression="jpeg"), "a.tif", 512)


@example(3, "folders that unpacking on a Mac and Windows leave", "two people more, made of copies and thumbnails")
def foreign_system_folders(world):
    for folder in ("__MACOSX/ada", "System Volume Information"):
        Path("people", folder).mkdir(parents=True)
        shutil.copy("people/ada/ada.png", Path("people", folder, "x.png"))
    told = run("preprocess", "people", "out", "--already-aligned", "--json").json
    assert told["crops"] == told["identities"] == 2 and told["passed_over"]["system folder"]["count"] == 2


@example(3, "a folder, a folder in it and a photo in that on one line", "one photo was searched three times")
def overlapping_paths(world):
    ended = run("detect", "people", "people/ada", "people/ada/ada.png", "--json", "--no-border")
    assert [line["path"] for line in ended.lines if "path" in line] == ["people/ada/ada.png", "people/bo/bo.png"]


@example(3, "a hard link in a folder of favourites", "an embedding more, and a group of one photo with itself")
def hard_link(world):
    Path("people/ada/best").mkdir()
    Path("people/ada/best/1.png").hardlink_to("people/ada/ada.png")
    ended = crops(world, "e.parquet", "people")
    assert "2 embeddings" in ended.out and "1 file reached twice" in ended.err


@example(4, "an animated WebP", "one frame was read, and not a word")
def animation(world):
    first, second = Image.fromarray(world["face"]), Image.fromarray(world["face"][:, ::-1].copy())
    first.save("a.webp", save_all=True, append_images=[second], lossless=True)
    assert "frame 1 of 2 read" in run("detect", "a.webp", "--no-border").err
    assert len(run("detect", "a.webp", "--pages", "all", "--json", "--no-border").lines) == 2


@example(4, "raw camera files beside the photos of a person", "a gallery without them, and not a word")
def raw_files(world):
    for name in ("1.CR2", "2.nef"):
        Path("people/ada", name).write_bytes(b"II*\0")
    assert "2 raw camera photos" in build(world, "people", "g.parquet").err


@example(4, "two pictures of a stereo camera in one .jpg", "one was read, and not a word")
def stereo(world):
    first, second = Image.fromarray(world["face"]), Image.fromarray(world["face"][:, ::-1].copy())
    first.save("a.mpo", save_all=True, append_images=[second])
    Path("a.mpo").rename("a.jpg")
    assert "picture 1 of 2 read" in run("detect", "a.jpg", "--no-border").err


@example(5, "embed -o e.json and gallery build g.db", "Parquet under the names of other formats, exit code 0")
def names_of_other_formats(world):
    assert "cannot write .json" in refused("embed", "people", "-o", "e.json", *world["model"])
    assert "cannot write .db" in refused("gallery", "build", "people", "g.db", *world["model"])


def trained(steps=4):
    write_folders(Path("crops"), 3, 4)
    short = [f"schedule.length={steps}", "schedule.unit=steps", "schedule.milestones=[]", "data.held_out=0"]
    words = [word for one in short for word in ("--set", one)]
    assert run("train", write_recipe(Path("r.toml")), "-d", "crops", "-o", "run", "--device", "cpu", *words).code == 0


@example(5, "train --resume with another learning rate", "not a word, and a recipe that told it of the whole run")
def another_rate(world):
    trained()
    changed = ["--set", "schedule.length=6", "--set", "optimiser.lr=0.002"]
    ended = run("train", "--resume", "-o", "run", "--device", "cpu", *changed)
    assert ended.code == 0 and "optimiser.lr: 0.01 → 0.002" in ended.err
    assert '"resumed"' in Path("run/log.jsonl").read_text() and "history" in Path("run/recipe.toml").read_text()


@example(5, "train --resume --seed 7", "the order of the images changed in the middle, and not a word")
def another_seed(world):
    trained()
    told = run("train", "--resume", "-o", "run", "--seed", 7, "--set", "schedule.length=6", "--device", "cpu")
    assert told.code == 2 and "loop.seed" in told.err and "--allow" in told.err


@example(6, "a named pipe as list of pairs", "waited for ever")
def pipe_of_pairs(world):
    os.mkfifo("pairs.txt")
    assert "a named pipe" in refused("eval", "pairs", "people", "--pairs", "pairs.txt", *world["model"])


@example(6, "a named pipe as gallery", "waited for ever")
def pipe_as_gallery(world):
    os.mkfifo("g.parquet")
    assert "a named pipe" in refused("identify", "people/ada/ada.png", "g.parquet", *world["model"])


@example(6, "a model's folder whose card is a named pipe", "waited for ever")
def pipe_as_card(world):
    Path("model").mkdir()
    os.mkfifo("model/card.toml")
    assert "a named pipe" in refused("compare", "people/ada/ada.png", "people/bo/bo.png", "-m", "model")


def in_a_shell(line):
    """Exit code and what is on the two streams of a shell in which ``facepipe`` is this one."""
    script = f'facepipe() {{ "{sys.executable}" -m facepipe "$@"; }}\n{line}'
    ended = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert "Traceback" not in ended.stdout + ended.stderr
    return ended.returncode, ended.stdout, ended.stderr


@example(7, "models show without a standard output", "a traceback: NoneType has no attribute reconfigure")
def no_output(world):
    assert in_a_shell(f"facepipe models show {world['model'][1]} >&-")[0] == 0


@example(7, "a photo that is not there, without a standard error", "exit code 1 of a traceback that nobody saw")
def no_error_stream(world):
    assert in_a_shell("facepipe detect gone.jpg 2>&-") == (2, "", "")


@example(7, "both, and no standard input", "exit code 1 of a traceback that nobody saw")
def no_streams(world):
    assert in_a_shell("facepipe models list >&- 2>&- <&-")[0] == 0


@example(8, "a PNG with three long texts, as generators of pictures write them", "called damaged and left out")
def long_texts(world):
    texts = PngImagePlugin.PngInfo()
    for number in range(3):
        texts.add_itxt(f"prompt {number}", "y" * 1_500_000, zip=True)
    Image.fromarray(world["face"]).save("a.png", pnginfo=texts)
    assert np.array_equal(read_image("a.png").pixels, world["face"]) and run("detect", "a.png", "--strict").code == 0


@example(8, "a grey TIFF of 12 bits in 16", "read as almost black: no face, and not a word of it")
def twelve_bits(world):
    grey = cv2.cvtColor(world["face"], cv2.COLOR_RGB2GRAY).astype(np.uint16) << 4
    Image.fromarray(grey).save("a.tif")
    assert run("detect", "a.tif", "--no-border").out.startswith("a.tif: 1 face")
    assert np.abs(read_image("a.tif").pixels[..., 0].astype(int) - (grey >> 4)).max() <= 1


@example(8, "an album that may not be listed, in the data of a training", "the training ended with it")
def unreadable_album(world):
    write_folders(Path("crops"), 3, 4)
    Path("crops/locked").mkdir()
    usual = os.scandir

    def scandir(path="."):
        if "locked" in os.fspath(path):  # root may list any folder
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return usual(path)

    words = ["--set", "data.held_out=0", "--set", "schedule.unit=steps", "--set", "schedule.length=1"]
    words += ["--set", "schedule.milestones=[]"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "scandir", scandir)
        recipe = write_recipe(Path("r.toml"))
        ended = run("train", recipe, "-d", "crops", "-o", "run", "--device", "cpu", *words)
    assert ended.code == 0 and "1 folder that cannot be read" in ended.err


@example(9, "a list of pairs that a spreadsheet saved as Unicode (UTF-16)", "not a readable text file")
def list_in_utf16(world):
    text = "a,b,same\r\nada/ada.png,bo/bo.png,0\r\nada/ada.png,ada/ada.png,1\r\n"
    Path("pairs.csv").write_bytes(text.encode("utf-16"))
    words = ["eval", "pairs", "people", "--pairs", "pairs.csv", "--already-aligned", "--json", *world["model"]]
    assert run(*words).json["pairs"] == 2


@example(9, "-d '~/crops', the tilde in quotes as in a script", "no such training data: ~ was taken for a name")
def tilde(world):
    write_folders(Path("crops"), 3, 4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(Path.cwd()))
        words = ["--set", "data.held_out=0", "--set", "schedule.unit=steps", "--set", "schedule.length=1"]
        words += ["--set", "schedule.milestones=[]", "--device", "cpu"]
        assert run("train", write_recipe(Path("r.toml")), "-d", "~/crops", "-o", "run", *words).code == 0


@example(9, "a person whose folder's name turns the terminal red and rings", "it did, in tables and lines")
def control_characters(world):
    Path("people/ada").rename("people/\x1b[31mada\x07")
    told = build(world, "people", "g.parquet").out + run("gallery", "list", "g.parquet").out
    told += run("identify", "people", "g.parquet", "--threshold", 0.5, *world["model"], "--no-turns").out
    assert "\\x1b[31mada\\x07" in told and "\x1b" not in told and "\x07" not in told


@example(10, "detect ... | true under pipefail", "exit code 1 and 'Broken pipe'")
def reader_that_reads_nothing(world):
    code, _, err = in_a_shell("set -o pipefail; facepipe detect people --json --no-border | true")
    assert code == 0 and "Broken pipe" not in err


@example(10, "gallery list --json | true under pipefail", "exit code 1")
def reader_of_a_list(world):
    build(world, "people", "g.parquet")
    assert in_a_shell("set -o pipefail; facepipe gallery list --json g.parquet | true")[0] == 0


@example(10, "SIGTERM while embeddings are written", "a temporary file stayed for ever")
def terminated(world):
    for number in range(40):
        shutil.copy("people/ada/ada.png", f"people/ada/{number}.png")
    script = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGTERM, signal.SIG_DFL)\n"
        "from facepipe.embedding import EmbeddingsWriter\n"
        "usual = EmbeddingsWriter.write\n"
        "def write(*words, **more):\n"
        "    usual(*words, **more)\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "EmbeddingsWriter.write = write\n"
        "from facepipe.cli.main import main\n"
        "main()\n"
    )
    words = ["embed", "people", "-o", "e.parquet", "--already-aligned", *map(str, world["model"])]
    ended = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True, check=False)
    assert ended.returncode == 143 and "facepipe: ended by SIGTERM" in ended.stderr, ended
    assert {path.name for path in Path().iterdir()} == {"people"}
