"""Inputs as people have them, item by item, and what facepipe says of each: an example of a fault, and variations.

What is said now, and what was said before it was mended (by commit 8543c21; of pictures, markup and two photos of one
name by 4ad4c74), stands in ``cli/input_cases.json``; `cli/test_cli_input_cases.py` compares. ``python
tests/input_cases.py now`` writes it anew; ``before`` is for those commits, with this file copied beside their tests.
"""

import json
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
from cli_run import run, tiny_model
from moving_squares import frame, write_video
from verification_folders import crop, write_crops

TABLE = Path(__file__).parent / "cli" / "input_cases.json"
LONGEST = 300


@dataclass(frozen=True)
class Kit:
    """What the cases are made of: a model, two photos with a face, H×W×3."""

    model: Path
    faces: tuple[np.ndarray, ...]


Case = Callable[[Path, Kit], str]
CASES: dict[str, Case] = {}
"""``ITEM what`` → the case, given an empty folder; it returns what a user learns, in a line."""


def case(item: int, what: str) -> Callable[[Case], Case]:
    def enter(make: Case) -> Case:
        CASES[f"{item:02d} {what}"] = make
        return make

    return enter


def make_kit(folder: Path, photo: np.ndarray) -> Kit:
    """``photo``: scikit-image's astronaut, uint8 512×512×3."""
    one = cv2.resize(photo[:300, 80:380], (150, 150), interpolation=cv2.INTER_AREA)
    other = cv2.resize(photo[20:260, 100:340], (200, 200), interpolation=cv2.INTER_AREA)[:, ::-1]
    return Kit(tiny_model(folder / "tiny"), (one, np.ascontiguousarray(other)))


def answer(name: str, folder: Path, kit: Kit) -> str:
    """What a case says, without what differs from machine to machine."""
    try:
        told = CASES[name](folder, kit)
    except Exception as error:  # of an older facepipe, whatever it raised
        told = f"{type(error).__name__}: {error}"
    for path, mark in ((folder.resolve(), "…"), (folder, "…"), (kit.model, "MODEL")):
        told = told.replace(str(path), mark)
    return " ".join(told.split())[:LONGEST]


def said(*words: object, keep: str = "") -> str:
    """The exit code, and of what a command wrote the error, or the lines that hold ``keep``."""
    ended = run(*words)
    lines = [line for line in (ended.err + ended.out).splitlines() if line.strip()]
    kept = [line for line in lines if keep and keep in line]
    told = [line for line in lines if line.startswith("facepipe: ")] or kept
    return " | ".join([f"exit {ended.code}", *told])


def figures(*words: object, of: tuple[str, ...]) -> str:
    """Some values of a command's JSON; its error where it failed."""
    ended = run(*words, "--json")
    if ended.code not in (0, 1):
        return f"exit {ended.code} | {ended.err.strip().splitlines()[-1]}"
    value = json.loads(ended.out)
    return ", ".join(f"{name} {value.get(name, 'not told')}" for name in of)


def png(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", pixels[..., ::-1])[1].tobytes())
    return path


# 1: video

FRAMES = 120


def numbered(count: int = FRAMES) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    moving = [frame({"red": (number, 20)}).astype(int) for number in range(count)]
    return [np.clip(picture + rng.integers(0, 40, picture.shape), 0, 255).astype(np.uint8) for picture in moving]


def film(at: Path, name: str, code: str, damage: float | None = None) -> Path:
    path = write_video(at / name, numbered(), 25, code)
    if damage is not None:
        data = bytearray(path.read_bytes())
        start = max(64 if name.endswith(".mp4") else 6000, int(len(data) * damage))
        data[start : start + len(data) // 12] = np.random.default_rng(0).bytes(len(data) // 12)
        path.write_bytes(data)
    return path


def watched(source: str) -> str:
    from facepipe.identification.video import Video

    video = Video(source)
    times = [one.time for one in video.frames()]
    gaps, missing = getattr(video, "gaps", []), getattr(video, "missing", 0)
    whole = len(times) == FRAMES
    counted = abs(len(times) + missing - FRAMES) <= 1
    end = times[-1] > 4.6 or (counted and any(gap.last is None for gap in gaps))
    return ", ".join([
        "by the clock on the wall" if video.live else "by the film's clock",
        "whole" if whole else "to its end" if end and len(times) > 96 else "ended early or with wrong times",
        "nothing missing" if whole else "the missing counted" if counted else "the missing not counted",
        f"{len(gaps)} gaps told",
    ])  # fmt: skip


@case(1, "a film at a file address")
def _(at: Path, kit: Kit) -> str:
    return watched(film(at, "a.mp4", "mp4v").as_uri())


@case(1, "AVI damaged at its head")
def _(at: Path, kit: Kit) -> str:
    return watched(str(film(at, "a.avi", "MJPG", 0.0)))


@case(1, "MP4 damaged in its middle")
def _(at: Path, kit: Kit) -> str:
    return watched(str(film(at, "a.mp4", "mp4v", 0.5)))


@case(1, "Matroska damaged in its middle")
def _(at: Path, kit: Kit) -> str:
    return watched(str(film(at, "a.mkv", "mp4v", 0.5)))


@case(1, "MP4 damaged at its tail")
def _(at: Path, kit: Kit) -> str:
    return watched(str(film(at, "a.mp4", "mp4v", 0.85)))


# 2: who is this


def people(at: Path, *paths: str) -> Path:
    write_crops(at / "people", {path: (number // 2, number) for number, path in enumerate(paths)})
    return at / "people"


def preprocessed(at: Path, root: Path, *more: object) -> str:
    ended = run("preprocess", root, at / "out", "--already-aligned", *more)
    if ended.code:
        return f"exit {ended.code} | {ended.err.strip().splitlines()[-1]}"
    who = sorted(set(pq.read_table(at / "out" / "manifest.parquet")["identity"].to_pylist()))
    remark = next((line for line in ended.err.splitlines() if "taken for people" in line), "")
    return f"{', '.join(who)}{' | ' if remark else ''}{remark}"


POSES = ("001/frontal/1.png", "001/profile/2.png", "002/frontal/1.png", "002/profile/2.png")


@case(2, "frontal and profile below the person: preprocess")
def _(at: Path, kit: Kit) -> str:
    return preprocessed(at, people(at, *POSES))


@case(2, "frontal and profile below the person: gallery list of embeddings")
def _(at: Path, kit: Kit) -> str:
    run("embed", people(at, *POSES), "-o", at / "e.parquet", "--already-aligned", "-m", kit.model)
    return figures("gallery", "list", at / "e.parquet", of=("people",))


@case(2, "train and test above the people")
def _(at: Path, kit: Kit) -> str:
    return preprocessed(at, people(at, "train/ann/1.png", "train/bo/1.png", "test/cy/1.png", "test/di/1.png"))


@case(2, "albums by year below the person")
def _(at: Path, kit: Kit) -> str:
    return preprocessed(at, people(at, "ann/2020/summer/1.png", "ann/2021/2.png", "bo/3.png"))


@case(2, "one option says otherwise")
def _(at: Path, kit: Kit) -> str:
    root = people(at, "train/ann/1.png", "test/ann/2.png", "test/bo/1.png")
    return preprocessed(at, root, "--identity-depth", 2)


# 3: pictures that vanish


def heif(path: Path) -> Path:
    import pillow_heif
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    pillow_heif.from_pillow(Image.fromarray(crop(0, 0))).save(path.with_suffix(".heic"), quality=95)
    return path.with_suffix(".heic").rename(path)


def embedded(at: Path, kit: Kit) -> str:
    words = ["embed", at / "in", "-o", at / "e.parquet", "--already-aligned", "-m", kit.model]
    told = figures(*words, of=("embedded", "failed"))
    passed = " | ".join(line for line in run(*words, "--overwrite").err.splitlines() if "skipped" in line)
    return f"{told} | {passed or 'nothing skipped'}"


@case(3, "HEIC from a telephone")
def _(at: Path, kit: Kit) -> str:
    write_crops(at / "in", {"a.png": (0, 0)})
    heif(at / "in" / "b.heic")
    return embedded(at, kit)


@case(3, "HEIF under its other names")
def _(at: Path, kit: Kit) -> str:
    write_crops(at / "in", {"a.png": (0, 0)})
    for name in ("b.HEIC", "c.heif", "d.HIF"):
        heif(at / "in" / name)
    return embedded(at, kit)


@case(3, "a single HEIC is no video")
def _(at: Path, kit: Kit) -> str:
    return figures("detect", heif(at / "a.heic"), of=("path", "error"))


@case(3, "raw photos of eight makers")
def _(at: Path, kit: Kit) -> str:
    write_crops(at / "in", {"a.png": (0, 0)})
    for name in ("b.CR2", "c.cr3", "d.NEF", "e.arw", "f.dng", "g.raf", "h.ORF", "i.rw2"):
        (at / "in" / name).write_bytes(b"II*\0")
    return embedded(at, kit)


@case(3, "JPEG XL, Photoshop, OpenEXR")
def _(at: Path, kit: Kit) -> str:
    write_crops(at / "in", {"a.png": (0, 0)})
    for name in ("b.jxl", "c.PSD", "d.exr"):
        (at / "in" / name).write_bytes(b"\xff\x0a")
    return embedded(at, kit)


@case(3, "TIFF of three planes of 16 bits")
def _(at: Path, kit: Kit) -> str:
    import tifffile

    from facepipe.images import read_rgb

    planes = crop(0, 0).transpose(2, 0, 1).astype(np.uint16) << 8
    tifffile.imwrite(at / "a.tif", planes, photometric="rgb", planarconfig="separate")
    wrong = np.abs(read_rgb(at / "a.tif").astype(int) - crop(0, 0)).max()
    return "as it was" if wrong <= 1 else f"off by up to {wrong}"


# 4: two of one name


def built(at: Path, kit: Kit, *roots: Path) -> str:
    return figures("gallery", "build", *roots, at / "g.parquet", "-m", kit.model, of=("people", "images"))


def phones(at: Path, kit: Kit, name: str) -> list[Path]:
    for number, face in enumerate(kit.faces, 1):
        png(at / f"phone{number}" / name, face)
    return [at / "phone1", at / "phone2"]


@case(4, "one name in two folders: gallery build")
def _(at: Path, kit: Kit) -> str:
    return built(at, kit, *phones(at, kit, "amy/IMG_0001.png"))


@case(4, "one name in two galleries: merge")
def _(at: Path, kit: Kit) -> str:
    for root in phones(at, kit, "amy/IMG_0001.png"):
        run("gallery", "build", root, at / f"{root.name}.parquet", "-m", kit.model)
    parts = at / "phone1.parquet", at / "phone2.parquet"
    return figures("gallery", "merge", *parts, "-o", at / "all.parquet", of=("people", "images"))


@case(4, "one name added later")
def _(at: Path, kit: Kit) -> str:
    first, second = phones(at, kit, "amy.png")
    built(at, kit, first)
    return figures("gallery", "add", at / "g.parquet", second, "-m", kit.model, of=("people", "images"))


@case(4, "a name with a slash")
def _(at: Path, kit: Kit) -> str:
    first, second = phones(at, kit, "amy.png")
    built(at, kit, first)
    words = ["gallery", "add", at / "g.parquet", second, "--name", "AC/DC", "-m", kit.model]
    return figures(*words, of=("people",))


# 5: ONNX in forms of its own


def graph(at: Path, outputs: int = 1, last: bool = False, beside: bool = False) -> Path:
    """A network of one matrix over 112×96 crops."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    shape = [1, 112, 96, 3] if last else [1, 3, 112, 96]
    weight = np.random.default_rng(0).normal(size=(4, 3 * 112 * 96)).astype(np.float32) / 100
    nodes = [helper.make_node("Flatten", ["x"], ["flat"]), helper.make_node("Gemm", ["flat", "w"], ["e"], transB=1)]
    ends = [helper.make_tensor_value_info("e", TensorProto.FLOAT, [1, 4])]
    if outputs > 1:
        nodes.append(helper.make_node("Relu", ["e"], ["age"]))
        ends.append(helper.make_tensor_value_info("age", TensorProto.FLOAT, [1, 4]))
    starts = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)]
    made = helper.make_graph(nodes, "g", starts, ends, [numpy_helper.from_array(weight, "w")])
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = {"save_as_external_data": True, "location": "a.onnx.data", "size_threshold": 0} if beside else {}
    onnx.save(model, at / "a.onnx", **options)
    return at / "a.onnx"


def imported(at: Path, file: Path, *more: object) -> str:
    """Import into a cache of its own, and compare two crops by it."""
    import pytest

    write_crops(at, {"one.png": (0, 0), "two.png": (1, 0)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEPIPE_CACHE", str(at / "cache"))
        told = said("models", "import", "mine", file, *more)
        if told != "exit 0":
            return f"import: {told}"
        file.unlink()
        words = ["compare", at / "one.png", at / "two.png", "-m", "mine", "--already-aligned", "--threshold", "0.5"]
        ended = run(*words, "--json")
        return f"compares, exit {ended.code}" if ended.code == 0 else f"compare: exit {ended.code} | {ended.err}"


CROPS = ("--template", "112x96", "--channels", "rgb", "--mean", "127.5", "--scale", "128")


@case(5, "tensors in a file beside the graph")
def _(at: Path, kit: Kit) -> str:
    return imported(at, graph(at, beside=True), *CROPS)


@case(5, "the file beside the graph is missing")
def _(at: Path, kit: Kit) -> str:
    path = graph(at, beside=True)
    (at / "a.onnx.data").unlink()
    return imported(at, path, *CROPS)


@case(5, "colours last")
def _(at: Path, kit: Kit) -> str:
    return imported(at, graph(at, last=True), *CROPS)


@case(5, "colours last, with the option")
def _(at: Path, kit: Kit) -> str:
    return imported(at, graph(at, last=True), *CROPS, "--layout", "nhwc")


@case(5, "two outputs")
def _(at: Path, kit: Kit) -> str:
    return imported(at, graph(at, outputs=2), *CROPS)


# 6: lists


def judged(at: Path, kit: Kit, text: str | bytes, name: str = "pairs.txt") -> str:
    names = {f"{who}/{who}_{number:04d}.png": (person, number) for person, who in enumerate(WHO) for number in (1, 2)}
    if not (at / "crops").exists():
        write_crops(at / "crops", names)
    (at / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    words = ["eval", "pairs", at / "crops", "--pairs", at / name, "--already-aligned", "-m", kit.model, "--json"]
    ended = run(*words, *(["--format", "lfw"] if name.endswith(".txt") else []))
    if ended.code:
        return f"exit {ended.code} | {ended.err.strip().splitlines()[-1]}"
    told = json.loads(ended.out)
    return f"{told['genuine']} genuine, {told['impostor']} impostor, {len(told['folds'])} folds"


WHO = ("Ann_Lee", "Bo", "Cy", "Di", "Ed", "Fay", "Gil", "Hal", "Ida", "Jo")
LFW = "2\t2\n" + "".join(
    f"{a}\t1\t2\n{b}\t1\t2\n{a}\t1\t{b}\t1\n{a}\t2\t{b}\t2\n" for a, b in (("Ann_Lee", "Bo"), ("Cy", "Di"))
)
CSV = "a,b,same,fold\n" + "".join(
    f"{a}/{a}_0001.png,{b}/{b}_0002.png,{int(a == b)},{number % 2}\n"
    for number, (a, b) in enumerate([("Bo", "Bo"), ("Cy", "Cy"), ("Bo", "Cy"), ("Cy", "Di")])
)


@case(6, "pairs as Excel saves Unicode text")
def _(at: Path, kit: Kit) -> str:
    return judged(at, kit, LFW.encode("utf-16"))


@case(6, "a blank line between folds")
def _(at: Path, kit: Kit) -> str:
    lines = LFW.splitlines()
    return judged(at, kit, "\n".join([*lines[:5], "", *lines[5:]]))


@case(6, "pandas wrote 1.0 for label and fold")
def _(at: Path, kit: Kit) -> str:
    lines = CSV.replace(",0\n", ",0.0\n").replace(",1\n", ",1.0\n").replace(",1,", ",1.0,").replace(",0,", ",0.0,")
    return judged(at, kit, lines, "pairs.csv")


@case(6, "semicolons of a German Excel")
def _(at: Path, kit: Kit) -> str:
    return judged(at, kit, CSV.replace(",", ";"), "pairs.csv")


@case(6, "a pair as one person's and as two people's")
def _(at: Path, kit: Kit) -> str:
    return judged(at, kit, CSV + "Bo/Bo_0001.png,Bo/Bo_0002.png,0,1\n", "pairs.csv")


def trained_on(at: Path, text: str) -> str:
    from facepipe.datasets import open_samples

    write_crops(at, {"a/1.png": (0, 0), "a/2.png": (0, 1), "b/1.png": (1, 0)})
    (at / "train.lst").write_text(text)
    samples = open_samples([at / "train.lst"])
    for index in range(len(samples)):
        samples.read(index)
    return f"{len(samples)} images of {sorted(samples.identities)}"


@case(6, "insightface's list: number, path, label")
def _(at: Path, kit: Kit) -> str:
    return trained_on(at, "0\ta/1.png\t7\n1\ta/2.png\t7\n2\tb/1.png\t8\n")


@case(6, "a training list with a mark at the beginning")
def _(at: Path, kit: Kit) -> str:
    return trained_on(at, "\ufeffa/1.png\t7\na/2.png\t7\nb/1.png\t8\n")


@case(6, "a row of headings in a training list")
def _(at: Path, kit: Kit) -> str:
    return trained_on(at, "path\tlabel\na/1.png\t7\na/2.png\t7\nb/1.png\t8\n")


@case(6, "a training list with .PNG, backslashes and ./")
def _(at: Path, kit: Kit) -> str:
    return trained_on(at, ".\\a\\1.PNG\t7.0\n.\\a\\2.PNG\t7.0\n./b/1.PNG\t8.0\n")


@case(6, "the truth of a .bin as an array")
def _(at: Path, kit: Kit) -> str:
    import pickle

    sides = [(0, 1, 2, 3), (0, 1, 3, 2)]
    crops = [crop(person, image) for person in range(4) for image, row in enumerate(sides) for _ in row]
    images = [cv2.imencode(".png", pixels)[1].tobytes() for pixels in crops]
    truth = np.arange(len(images) // 2) % 2 == 0
    (at / "a.bin").write_bytes(pickle.dumps((images, truth)))
    return figures("eval", "bin", at / "a.bin", "-m", kit.model, of=("pairs", "genuine"))


# 7: layouts


def cfp(at: Path, kit: Kit, name: str, place: str = "", lists: str = "") -> str:
    root = at / place
    for letter, kind in (("F", "frontal"), ("P", "profile")):
        names = [f"{person:03d}/{kind}/{number:02d}.png" for person in range(1, 5) for number in (1, 2)]
        write_crops(root / "Data" / "Images", {one: (row // 2, row) for row, one in enumerate(names)})
        lines = [f"{row} ../Data/Images/{one}" for row, one in enumerate(names, 1)]
        path = root / "Protocol" / lists / name.format(letter)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n")
    for split in ("01", "02"):
        folder = root / "Protocol" / "Split" / "FP" / split
        folder.mkdir(parents=True)
        (folder / "same.txt").write_text("1,1\n3,3\n")
        (folder / "diff.txt").write_text("1,3\n3,5\n")
    return figures("eval", "cfp", at, "--already-aligned", "-m", kit.model, of=("pairs",))


@case(7, "CFP's lists as image_list")
def _(at: Path, kit: Kit) -> str:
    return cfp(at, kit, "image_list_{}.txt")


@case(7, "CFP's lists in Split")
def _(at: Path, kit: Kit) -> str:
    return cfp(at, kit, "Pair_list_{}.txt", lists="Split")


@case(7, "CFP as its archive unpacks")
def _(at: Path, kit: Kit) -> str:
    return cfp(at, kit, "Pair_list_{}.txt", "cfp-dataset")


@case(7, "LFW one folder further down")
def _(at: Path, kit: Kit) -> str:
    names = {f"{who}/{who}_{number:04d}.png": (person, number) for person, who in enumerate(WHO) for number in (1, 2)}
    write_crops(at / "crops" / "lfw-deepfunneled" / "lfw-deepfunneled", names)
    return judged(at, kit, LFW)


@case(7, "LFW's pairs as Kaggle has them")
def _(at: Path, kit: Kit) -> str:
    rows = [row for a, b in zip(WHO, WHO[1:] + WHO[:1], strict=True) for row in (f"{a},1,2,", f"{a},1,{b},2")]
    return judged(at, kit, "\n".join(["name,imagenum1,imagenum2,", *rows]) + "\n", "pairs.csv")


def of_two(at: Path, kit: Kit, folder: str, name: str, lines: list[str], *more: object, suffix: str = "") -> str:
    """`eval pairs` of ``folder`` with crops ``name`` of (person, image), by the list ``lines``."""
    root, rows = at / folder, [(person, image) for person in range(4) for image in (1, 2)]
    write_crops(root, {f"{name.format(person, image)}.png": (person, image) for person, image in rows})
    text = "".join(f"{line}\n" for line in lines)
    for person, image in rows:
        text = text.replace(f"<{person}.{image}>", f"{name.format(person, image)}.jpg")
    (at / f"pairs{suffix or '.txt'}").write_bytes(text.replace("\n", "\r\n").encode())
    words = ["eval", "pairs", at, "--pairs", at / f"pairs{suffix or '.txt'}", "--already-aligned", "-m", kit.model]
    return figures(*words, *more, of=("pairs", "genuine"))


HALVES = [half for a, b, same in (("0.1", "0.2", 1), ("1.1", "1.2", 2), ("0.1", "1.1", 0), ("2.1", "3.1", 0))
          for half in (f"<{a}> {same}", f"<{b}> {same}")]  # fmt: skip
WHOLE = ["1 <0.1> <0.2>", "0 <0.1> <1.1>", "1 <2.1> <2.2>", "0 <2.2> <3.1>"]


@case(7, "LFW without the header of its list")
def _(at: Path, kit: Kit) -> str:
    return judged(at, kit, LFW.partition("\n")[2])


@case(7, "LFW with headings in the place of the header")
def _(at: Path, kit: Kit) -> str:
    return judged(at, kit, "name\tnr\tname2\tnr2\n" + LFW.partition("\n")[2])


@case(7, "LFW's list of view 1")
def _(at: Path, kit: Kit) -> str:
    return judged(at, kit, "2\nBo\t1\t2\nCy\t1\t2\nBo\t1\tCy\t1\nCy\t2\tDi\t2\n")


@case(7, "CALFW as its archive unpacks")
def _(at: Path, kit: Kit) -> str:
    return of_two(at, kit, "calfw/aligned images", "Ann_{}_000{}", HALVES)


@case(7, "CPLFW's list with headings")
def _(at: Path, kit: Kit) -> str:
    return of_two(at, kit, "images", "Ann_{}_{}", ["name same_person", *HALVES])


@case(7, "CALFW as 112x112 pictures with a list of lines")
def _(at: Path, kit: Kit) -> str:
    return of_two(at, kit, "calfw_112x112", "Ann_{}_000{}", WHOLE)


@case(7, "AgeDB-30 as pictures with a list of lines")
def _(at: Path, kit: Kit) -> str:
    return of_two(at, kit, "agedb_30_112x112", "{}_Maria Callas_3{}_f", [line.replace(" ", "\t") for line in WHOLE])


@case(7, "AgeDB by the names of its archive")
def _(at: Path, kit: Kit) -> str:
    lines = ["a,b,same", "<0.1>,<0.2>,1", "<0.1>,<1.1>,0", "<2.1>,<2.2>,1", "<2.2>,<3.1>,0"]
    return of_two(at, kit, "AgeDB", "{}_MariaCallas_3{}_f", lines, suffix=".csv")


@case(7, "AgeDB-30 with commas and the truth behind")
def _(at: Path, kit: Kit) -> str:
    lines = ["file_x,file_y,Decision", "<0.1>,<0.2>,Yes", "<0.1>,<1.1>,No", "<2.1>,<2.2>,Yes", "<2.2>,<3.1>,No"]
    return of_two(at, kit, "imgs", "{}_{}", lines)


def ytf(at: Path, kit: Kit, place: str, frame_name: str, head: str = "", end: str = "\n") -> str:
    videos = [f"Ann_{person}/{number}" for person in range(4) for number in (0, 1)]
    names = {f"{video}/{frame_name.format(frame)}.png": (row // 2, row * 3 + frame)
             for row, video in enumerate(videos) for frame in range(3)}  # fmt: skip
    write_crops(at / place, names)
    rows = [f"{split}, {row}, Ann_{a}/0, Ann_{b}/1, {int(a == b)}" for split in (1, 2)
            for row, (a, b) in enumerate([(split, split), (0, 0), (0, split), (split, 3)], 1)]  # fmt: skip
    (at / "splits.txt").write_bytes((head + "".join(f"{line}{end}" for line in rows)).encode())
    words = ["eval", "ytf", at, "--splits", at / "splits.txt", "--already-aligned", "-m", kit.model]
    return figures(*words, of=("pairs", "videos", "frames"))


@case(7, "YTF as its archive unpacks")
def _(at: Path, kit: Kit) -> str:
    return ytf(at, kit, "YouTubeFaces/aligned_images_DB", "aligned_detect_{}.1")


@case(7, "YTF's whole frames, headings and Windows line ends")
def _(at: Path, kit: Kit) -> str:
    head = "split number, first name, second name, is same\r\n"
    return ytf(at, kit, "frame_images_DB", "0.{}", head, "\r\n")


@case(7, "YTF with labels beside the people")
def _(at: Path, kit: Kit) -> str:
    (at / "frame_images_DB").mkdir()
    (at / "frame_images_DB" / "Ann_0.labeled_faces.txt").write_text("Ann_0\\0\\0.1.jpg,0,10,10,20,20,0,0\n")
    return ytf(at, kit, "frame_images_DB", "0.{}")


VGG = ("n000001/0001_01.png", "n000001/0002_01.png", "n000002/0001_01.png", "n000002/0001_02.png")


def vgg(at: Path, place: str, text: str, depth: int = 1) -> str:
    from facepipe.datasets import open_samples

    write_crops(at / place, {name: (row // 2, row) for row, name in enumerate(VGG)})
    (at / "train_list.txt").write_text(text)
    samples = open_samples([at / "train_list.txt"], **({} if depth == 1 else {"identity_depth": depth}))
    for index in range(len(samples)):
        samples.read(index)
    return f"{len(samples)} images of {sorted(samples.identities)}"


@case(7, "VGGFace2's list of paths")
def _(at: Path, kit: Kit) -> str:
    return vgg(at, ".", "\n".join(VGG) + "\n")


@case(7, "VGGFace2's list from outside the folder")
def _(at: Path, kit: Kit) -> str:
    return vgg(at, "data/train", "\r\n".join(f"data/train/{name}".replace("png", "PNG") for name in VGG))


@case(7, "VGGFace2's faces by detector below the person")
def _(at: Path, kit: Kit) -> str:
    names = [name.replace("/", "/loose/") for name in VGG]
    write_crops(at, {name: (row // 2, row) for row, name in enumerate(names)})
    return vgg(at, "unused", "\n".join(names))


def ijb(at: Path, subset: str, place: str) -> str:
    from ijb_synthetic import write_ijb

    from facepipe.embedding import Embeddings, save_embeddings

    made = write_ijb(at / "made", subset, people=4)
    save_embeddings(at / "faces.parquet", Embeddings(made.features, "m@1/c", paths=tuple(made.names)))
    (at / "lists" / place).parent.mkdir(parents=True)
    (at / "made" / f"IJB{subset}").rename(at / "lists" / place)
    words = ["eval", "ijb", at / "faces.parquet", "--lists", at / "lists", "--subset", subset]
    return figures(*words, of=("protocol", "templates"))


@case(7, "IJB-C in IJB_release")
def _(at: Path, kit: Kit) -> str:
    return ijb(at, "C", "IJB_release/IJBC")


@case(7, "IJB-B in small letters")
def _(at: Path, kit: Kit) -> str:
    return ijb(at, "B", "ijbb")


@case(7, "IJB-C with a dash in its name")
def _(at: Path, kit: Kit) -> str:
    return ijb(at, "C", "data/IJB-C")


# 8 and 9: weights


def network(options: dict[str, Any] | None = None) -> Any:
    import torch

    from facepipe.backbones import create

    torch.manual_seed(0)
    return create("sphereface4", input_size=(112, 96), embedding_dim=8, width=0.125, **(options or {})).eval()


NET = ("--backbone", "sphereface4", "--option", "width=0.125", *CROPS)


def brought(at: Path, tensors: Any) -> str:
    import torch

    torch.save(tensors, at / "a.pth")
    return imported(at, at / "a.pth", *NET)


def spoilt(value: float) -> dict[str, Any]:
    state = dict(network().state_dict())
    name = next(iter(state))
    state[name] = state[name].clone()
    state[name].view(-1)[0] = value
    return state


@case(8, "weights with NaN")
def _(at: Path, kit: Kit) -> str:
    return brought(at, spoilt(float("nan")))


@case(8, "weights with an infinity")
def _(at: Path, kit: Kit) -> str:
    return brought(at, spoilt(float("-inf")))


@case(8, "weights so large that nothing finite comes out")
def _(at: Path, kit: Kit) -> str:
    return brought(at, {name: tensor * 1e30 for name, tensor in network().state_dict().items()})


@case(8, "a template without images")
def _(at: Path, kit: Kit) -> str:
    from facepipe.embedding import Embeddings
    from facepipe.score.pairs import score_pairs

    sigma2 = np.array([[1.0], [np.inf]], np.float32)
    both = Embeddings(np.eye(2, dtype=np.float32), "m@1", "none", sigma2=sigma2, trained_dim=2)
    return f"score {score_pairs('mls', both, np.array([0]), np.array([1]))}"


def head() -> dict[str, Any]:
    import torch

    return {"head.weight": torch.ones(9, 8), "fc.weight": torch.ones(4, 8), "fc.bias": torch.ones(4)}


def below(prefix: str) -> dict[str, Any]:
    return {prefix + name: tensor for name, tensor in network().state_dict().items()}


@case(9, "a head beside the backbone")
def _(at: Path, kit: Kit) -> str:
    return brought(at, below("") | head())


@case(9, "insightface's state_dict_backbone")
def _(at: Path, kit: Kit) -> str:
    return brought(at, {"epoch": 3, "state_dict_backbone": below(""), "state_dict_softmax_fc": head()})


@case(9, "features.module. and a head")
def _(at: Path, kit: Kit) -> str:
    return brought(at, below("features.module.") | head())


@case(9, "Lightning")
def _(at: Path, kit: Kit) -> str:
    whole = {"state_dict": below("model.backbone.") | head(), "pytorch-lightning_version": "2.1", "epoch": 2}
    return brought(at, whole)


@case(9, "TorchScript")
def _(at: Path, kit: Kit) -> str:
    import torch

    net = network()
    with torch.no_grad():
        torch.jit.trace(net, torch.zeros(1, 3, 112, 96)).save(str(at / "a.pt"))
    return imported(at, at / "a.pt", *NET)


# 10: training that learns nothing


def trained(at: Path, people: int, *more: str) -> str:
    from train_tiny import write_folders, write_recipe

    data = write_folders(at / "faces", identities=people, images=8)
    recipe = write_recipe(at / "recipe.toml")
    sets = [word for one in ("data.workers=1", *more) for word in ("--set", one)]
    told = said("train", recipe, "-d", data, "-o", at / "run", "--device", "cpu", *sets, keep="learn")
    return re.sub(r"is [0-9.]+ in each", "is N in each", told)


STILL = (
    "loop.log_every=1", "schedule.length=12", "schedule.milestones=[]", "schedule.unit=steps", "augment.mirror=0",
    "loop.batch=48",
)  # fmt: skip


@case(10, "a constant loss")
def _(at: Path, kit: Kit) -> str:
    return trained(at, 6, *STILL, "optimiser.lr=1e-30", "loss.name=softmax")


@case(10, "a constant loss of another kind")
def _(at: Path, kit: Kit) -> str:
    return trained(at, 6, *STILL, "optimiser.lr=1e-30", "loss.name=cosface")


@case(10, "a rate far too small")
def _(at: Path, kit: Kit) -> str:
    return trained(at, 6, *STILL, "optimiser.lr=1e-12", "loss.name=arcface")


@case(10, "a constant loss of a third kind")
def _(at: Path, kit: Kit) -> str:
    return trained(at, 6, *STILL, "optimiser.lr=1e-30", "loss.name=normface")


# 11: markup

NAMED = ("Ann [mum]", "[bold]Bo", "[link=x]Cy", ":smile: Di")


def marked(at: Path, kit: Kit) -> Path:
    write_crops(at / "in [of]", {f"{name}/1.png": (number, 0) for number, name in enumerate(NAMED)})
    run("embed", at / "in [of]", "-o", at / "e.parquet", "--already-aligned", "-m", kit.model)
    return at / "e.parquet"


def whole(ended: Any) -> str:
    return f"exit {ended.code}, shown whole: {[name for name in (*NAMED, 'in [of]') if name in ended.out + ended.err]}"


@case(11, "names in a gallery")
def _(at: Path, kit: Kit) -> str:
    return whole(run("gallery", "list", marked(at, kit)))


@case(11, "paths of search")
def _(at: Path, kit: Kit) -> str:
    store = marked(at, kit)
    return whole(run("search", png(at / "a.png", kit.faces[0]), store, "-m", kit.model, "--threshold", 0.5))


@case(11, "names that are compared")
def _(at: Path, kit: Kit) -> str:
    marked(at, kit)
    photos = [at / "in [of]" / name / "1.png" for name in ("Ann [mum]", "[bold]Bo")]
    return whole(run("compare", *photos, "-m", kit.model, "--already-aligned", "--threshold", 0.5))


@case(11, "groups of cluster")
def _(at: Path, kit: Kit) -> str:
    return whole(run("cluster", marked(at, kit), "--threshold", 0.99))


# 12: without what is missing


def skipped(at: Path, kit: Kit, spoil: Callable[[Path], object], *more: str) -> str:
    from verification_folders import write_pairs

    names = {f"p{person}/{image}.png": (person, image) for person in range(4) for image in range(4)}
    write_crops(at / "crops", names)
    write_pairs(at / "pairs.csv", 4)
    spoil(at / "crops" / "p0" / "0.png")
    words = ["eval", "pairs", at / "crops", "--pairs", at / "pairs.csv", "--already-aligned", "-m", kit.model, *more]
    return figures(*words, "--on-miss", "skip", of=("pairs", "skipped_pairs", "unreadable"))


@case(12, "a missing image")
def _(at: Path, kit: Kit) -> str:
    return skipped(at, kit, lambda path: path.unlink())


@case(12, "a truncated image")
def _(at: Path, kit: Kit) -> str:
    return skipped(at, kit, lambda path: path.write_bytes(path.read_bytes()[:200]))


@case(12, "an empty file and a page of a server")
def _(at: Path, kit: Kit) -> str:
    def spoil(path: Path) -> None:
        path.write_bytes(b"")
        (path.parent / "1.png").write_text("<html>not found</html>")

    return skipped(at, kit, spoil)


@case(12, "a folder in the place of an image")
def _(at: Path, kit: Kit) -> str:
    def spoil(path: Path) -> None:
        path.unlink()
        path.mkdir()

    return skipped(at, kit, spoil)


@case(12, "too few impostors for eval risk")
def _(at: Path, kit: Kit) -> str:
    names = {f"{who}/{who}_{number:04d}.png": (person, number) for person, who in enumerate(WHO) for number in (1, 2)}
    write_crops(at / "crops", names)
    (at / "pairs.txt").write_text(LFW)
    (at / "crops" / "Bo" / "Bo_0001.png").write_bytes(b"")  # whoever works first meets it
    words = ["eval", "risk", at / "crops", "--pairs", at / "pairs.txt", "--already-aligned", "-m", kit.model]
    return said(*words, "--fmr", "1e-3")


def main(when: str, *only: str) -> None:
    """Fill in what this facepipe says, as ``before`` or ``now``, of all cases or of those of some items."""
    from skimage.data import astronaut

    known = json.loads(TABLE.read_text()) if TABLE.exists() else {}
    with TemporaryDirectory() as base:
        kit = make_kit(Path(base).resolve(), np.asarray(astronaut()))
        told = {}
        for name in CASES:
            if only and not name.startswith(only):
                continue
            with TemporaryDirectory() as folder, suppress(SystemExit):
                told[name] = "ended the program"
                told[name] = answer(name, Path(folder).resolve(), kit)
    rows = {name: known.get(name, {}) | ({when: told[name]} if name in told else {}) for name in CASES}
    TABLE.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
