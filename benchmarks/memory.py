"""Does memory grow with the data? Peak memory of the whole process tree, for growing sets.

    python benchmarks/memory.py [--only preprocess] [--largest 100000] [--clip FILM --people DIR] [--model NAME]

Sets consist of noise images in mixed sizes (24 to 320 pixels, every hundredth a photo of 3 megapixels) or copies of
``--photos``, noise crops, pairs, stores and galleries of random numbers, a video of grey frames or of a repeated
clip. Lists that only training and protocols read are read by the function that these call.
Prints a line of JSON for each command and size:
``items``, wall time in ``seconds``, CPU time as ``processor``, ``peak_mb`` and ``baseline_mb``, the peak of the same
command on the smallest set.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from facepipe.embedding import Embedder, Embeddings
from facepipe.embedding.embeddings_file import save_embeddings
from facepipe.identification import Gallery, save_gallery
from facepipe.images import list_images
from facepipe.preprocess.manifest import write_manifest
from facepipe.zoo import load

DIM = 128
CLIP: Path | None = None
PEOPLE: Path | None = None
MODEL: str | None = None
PHOTOS: Path | None = None
EVERY = 25
_PAGE = os.sysconf("SC_PAGE_SIZE")


def tree(folder: Path, count: int) -> Path:
    """``count`` images of noise, or of PHOTOS as often as needed, twenty per person."""
    if PHOTOS is not None:
        return repeated(folder, count, PHOTOS)
    random = np.random.default_rng(0)
    noise = random.integers(0, 256, (2048, 1536, 3)).astype(np.uint8)
    for number in range(count):
        person = folder / f"{number // 20:06d}"
        person.mkdir(parents=True, exist_ok=True)
        side = 1536 if number % 100 == 99 else int(random.integers(24, 320))
        corner = int(random.integers(0, 1536 - side + 1))
        part = noise[corner : corner + side * 4 // 3, corner : corner + side]
        cv2.imwrite(str(person / f"{number}.jpg"), part, [cv2.IMWRITE_JPEG_QUALITY, 40])
    return folder


def repeated(folder: Path, count: int, photos: Path) -> Path:
    """``count`` copies of photos, twenty per person."""
    files = sorted(list_images(photos))
    for number in range(count):
        person = folder / f"{number // 20:06d}"
        person.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(files[number % len(files)], person / f"{number}.jpg")
    return folder


def crops(folder: Path, count: int) -> Path:
    """``count`` aligned crops, twenty per person: a hundred different ones under many names."""
    random = np.random.default_rng(0)
    noise = random.integers(0, 256, (100, 112, 112, 3)).astype(np.uint8)
    files = [cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 40])[1].tobytes() for pixels in noise]
    for number in range(count):
        person = folder / f"{number // 20:06d}"
        person.mkdir(parents=True, exist_ok=True)
        (person / f"{number}.jpg").write_bytes(files[number % 100])
    return folder


def features(folder: Path, count: int) -> Path:
    folder.mkdir(parents=True)
    mu = np.random.default_rng(0).normal(size=(count, DIM)).astype(np.float32)
    paths = tuple(f"{number // 2}/{number}.jpg" for number in range(count))
    save_embeddings(folder / "faces.parquet", Embeddings(mu, "net@0", paths=paths))
    return folder / "faces.parquet"


def pairs(folder: Path, count: int) -> Path:
    """A hundredth as many images as pairs, and ``count`` pairs."""
    images = max(200, count // 100)
    features(folder, images)
    random = np.random.default_rng(1)
    with (folder / "pairs.csv").open("w") as file:
        file.write("a,b,same,fold\n")
        for a, b, fold in zip(*random.integers(0, images, (2, count)), np.arange(count) % 10, strict=True):
            other = a ^ 1 if fold % 2 else b
            file.write(f"{a // 2}/{a}.jpg,{other // 2}/{other}.jpg,{int(a // 2 == other // 2)},{fold}\n")
    return folder


def people(folder: Path, count: int) -> Path:
    """A gallery of ``count`` photos, two per person, with embeddings like those of the model that ships."""
    model = Embedder(load("facepipe-mobilenet", "cpu", "onnx"))
    random = np.random.default_rng(0)
    mu = random.normal(size=(count, model.dim)).astype(np.float32)
    paths = tuple(f"person{number // 2}/{number}.jpg" for number in range(count))
    kappa = random.uniform(200, 900, count).astype(np.float32)
    known = {"paths": paths, "kappa": kappa, "detection_score": np.ones(count, np.float32), "trained_dim": model.dim}
    found = Embeddings(mu, model.model.identity, model.flip, **known)
    save_gallery(folder / "gallery.parquet", Gallery(found))
    return folder / "gallery.parquet"


def image_list(folder: Path, count: int) -> Path:
    """``IMAGE LABEL``, twenty images a person; only the first image is there."""
    (folder / "0").mkdir(parents=True)
    cv2.imwrite(str(folder / "0" / "0.png"), np.zeros((112, 96, 3), np.uint8))
    with (folder / "list.txt").open("w") as file:
        file.writelines(f"{number // 20}/{number}.png {number // 20}\n" for number in range(count))
    return folder / "list.txt"


def manifest(folder: Path, count: int) -> Path:
    """As of `preprocess`: a face and a crop a row, twenty rows a person."""
    row = {
        "height": 250, "width": 250, "faces": 1, "boxes": [[70.0, 60.0, 180.0, 200.0]],
        "landmarks": [[[100.0, 110.0]] * 5], "scores": [0.99], "search": "plain", "chosen": [0], "status": "ok",
        "reason": "", "remarks": [],
    }  # fmt: skip
    names = ((str(number // 20), f"{number // 20}/{number}.jpg") for number in range(count))
    folder.mkdir(parents=True)
    rows = (row | {"path": name, "identity": person, "crops": [name]} for person, name in names)
    write_manifest(folder / "manifest.parquet", rows, {"template": "112x112"})
    return folder


def ijb_lists(folder: Path, count: int) -> Path:
    """The list of faces of IJB-C with a tenth as many faces as pairs, five a template, and that of ``count`` pairs."""
    meta = folder / "IJBC" / "meta"
    meta.mkdir(parents=True)
    faces = count // 10
    templates = faces // 5
    with (meta / "ijbc_face_tid_mid.txt").open("w") as file:
        file.writelines(f"{number + 1}.jpg {number // 5 + 1} {number}\n" for number in range(faces))
    points = " ".join(["50.125"] * 10)
    with (meta / "ijbc_name_5pts_score.txt").open("w") as file:
        file.writelines(f"{number + 1}.jpg {points} 0.998\n" for number in range(faces))
    left, right = np.random.default_rng(0).integers(1, templates + 1, (2, count)).tolist()
    with (meta / "ijbc_template_pair_label.txt").open("w") as file:
        file.writelines(f"{a} {b} {int(a == b)}\n" for a, b in zip(left, right, strict=True))
    return folder


def film(folder: Path, frames: int) -> Path:
    folder.mkdir(parents=True)
    clip = _clip(CLIP) if CLIP else [np.full((120, 160, 3), number, np.uint8) for number in range(256)]
    size = clip[0].shape[1::-1]
    writer = cv2.VideoWriter(str(folder / "film.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), 25, size)
    for number in range(frames):
        writer.write(clip[number % len(clip)])
    writer.release()
    return folder / "film.mp4"


def _clip(path: Path) -> list[np.ndarray]:
    reader, frames = cv2.VideoCapture(str(path)), []
    while True:
        there, frame = reader.read()
        if not there:
            return frames
        frames.append(frame)


def peak_of(words: list[str], folder: Path) -> tuple[float, float, float]:
    """Seconds by the clock and of the processor, and the largest sum of resident memory of the command and all its
    children, in MB."""
    begin, used = time.monotonic(), _used()
    log = folder / "log.txt"
    begin_with = [] if words[0] == "-c" else ["-m", "facepipe"]
    with log.open("w") as out:
        process = subprocess.Popen([sys.executable, *begin_with, *words], cwd=folder, stdout=out, stderr=out)
    peak = 0
    while process.poll() is None:
        peak = max(peak, sum(resident(number) for number in family(process.pid)))
        time.sleep(0.1)
    if process.returncode not in (0, 1):
        raise SystemExit(f"facepipe {' '.join(words)}: {log.read_text()[-400:]}")
    return time.monotonic() - begin, _used() - used, peak / 1e6


def _used() -> float:
    """Processor time of processes that were waited for."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


def family(root: int) -> Iterator[int]:
    yield root
    try:
        for task in Path(f"/proc/{root}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from family(int(child))
    except OSError:
        return


def resident(process: int) -> int:
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0


Make = Callable[[Path, int], tuple[list[str], int]]


def _preprocess(folder: Path, count: int) -> tuple[list[str], int]:
    # Noise has no face: with a border, every image would be searched three times.
    return ["preprocess", str(tree(folder / "raw", count)), "crops", "--no-border"], count


def _again(folder: Path, count: int) -> tuple[list[str], int]:
    """The second run after one image came."""
    words, _ = _crops(folder, count)
    subprocess.run([sys.executable, "-m", "facepipe", *words], cwd=folder, check=True, capture_output=True)
    shutil.copy(folder / "raw" / "000000" / "0.jpg", folder / "raw" / "000000" / "new.jpg")
    return words, count


def _embed(folder: Path, count: int) -> tuple[list[str], int]:
    return ["embed", str(tree(folder / "raw", count)), "-o", "faces.parquet", "--on-miss", "centre"], count


def _embed_crops(folder: Path, count: int) -> tuple[list[str], int]:
    words = ["embed", str(crops(folder / "raw", count)), "-o", "faces.parquet", "--already-aligned"]
    return [*words, *(["--model", MODEL] if MODEL else [])], count


def _pairs(folder: Path, count: int) -> tuple[list[str], int]:
    pairs(folder / "set", count)
    return ["eval", "pairs", "set/faces.parquet", "--pairs", "set/pairs.csv", "--json"], count


def _search(folder: Path, count: int) -> tuple[list[str], int]:
    features(folder / "few", 10)
    return ["search", "few/faces.parquet", str(features(folder / "many", count)), "--json"], count


def _crops(folder: Path, count: int) -> tuple[list[str], int]:
    return ["preprocess", str(crops(folder / "raw", count)), "crops", "--already-aligned"], count


def _gallery(folder: Path, count: int) -> tuple[list[str], int]:
    from skimage.data import astronaut

    cv2.imwrite(str(folder / "1.png"), np.asarray(astronaut())[..., ::-1])
    return ["identify", "1.png", str(people(folder, count)), "--json"], count


def _video(folder: Path, count: int) -> tuple[list[str], int]:
    from skimage.data import astronaut

    people = PEOPLE or folder / "people"
    if not PEOPLE:
        (people / "ann").mkdir(parents=True)
        cv2.imwrite(str(people / "ann" / "1.png"), np.asarray(astronaut())[..., ::-1])
    words = [sys.executable, "-m", "facepipe", "gallery", "build", str(people), "gallery.parquet"]
    subprocess.run(words, cwd=folder, check=True, capture_output=True)
    every = ["--every", str(EVERY), "--json"]
    return ["identify", str(film(folder / "film", count)), "gallery.parquet", *every], count


def _image_list(folder: Path, count: int) -> tuple[list[str], int]:
    read = "from facepipe.datasets import open_samples; open_samples([sys.argv[1]])"
    return ["-c", f"import sys; {read}", str(image_list(folder / "set", count))], count


def _manifest(folder: Path, count: int) -> tuple[list[str], int]:
    read = "from facepipe.datasets import open_samples; open_samples([sys.argv[1]])"
    return ["-c", f"import sys; {read}", str(manifest(folder / "set", count))], count


def _ijb(folder: Path, count: int) -> tuple[list[str], int]:
    read = (
        "import sys; from pathlib import Path; import numpy as np; from facepipe.datasets.templates import ijb; "
        "lists = ijb.find_ijb(Path(sys.argv[1]), 'C'); faces = ijb.read_faces(lists); "
        "ijb.read_template_pairs(lists.pairs, np.unique(faces.template))"
    )
    return ["-c", read, str(ijb_lists(folder / "set", count))], count


CASES: dict[str, tuple[Make, list[int]]] = {
    "preprocess": (_preprocess, [1_000, 10_000, 30_000]),
    "preprocess --already-aligned": (_crops, [1_000, 10_000, 100_000]),
    "preprocess --already-aligned again": (_again, [1_000, 10_000, 100_000]),
    "embed": (_embed, [1_000, 10_000]),
    "embed --already-aligned": (_embed_crops, [1_000, 10_000, 100_000]),
    "eval pairs": (_pairs, [20_000, 200_000, 2_000_000]),
    "search": (_search, [10_000, 100_000, 1_000_000]),
    "identify a photo": (_gallery, [10_000, 100_000, 1_000_000]),
    "identify a film": (_video, [1_500, 15_000, 90_000]),
    "a list of images": (_image_list, [20_000, 200_000, 2_000_000]),
    "a manifest": (_manifest, [20_000, 200_000, 2_000_000]),
    "lists of IJB-C": (_ijb, [20_000, 200_000, 2_000_000, 20_000_000]),
}


def main() -> None:
    global CLIP, PEOPLE, MODEL, PHOTOS, EVERY
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--only", choices=CASES)
    options.add_argument("--largest", type=int, default=2_000_000)
    options.add_argument("--clip", type=Path, help="a film that is repeated, in place of grey frames")
    options.add_argument("--people", type=Path, help="a folder for the gallery of who is in the clip")
    options.add_argument("--model", help="of embed --already-aligned, in place of the one that ships")
    options.add_argument("--photos", type=Path, help="of preprocess and embed, in place of noise")
    options.add_argument("--every", type=int, default=EVERY, help="frames of a film from one search to the next")
    given = options.parse_args()
    CLIP, PEOPLE, EVERY = given.clip and given.clip.resolve(), given.people and given.people.resolve(), given.every
    MODEL, PHOTOS = given.model, given.photos
    for name, (make, sizes) in CASES.items():
        if given.only not in (None, name):
            continue
        baseline: float | None = None
        for size in sizes:
            if size > given.largest and baseline is not None:
                continue
            with tempfile.TemporaryDirectory() as folder:
                words, items = make(Path(folder), size)
                seconds, processor, peak = peak_of(words, Path(folder))
            baseline = peak if baseline is None else baseline
            told = {"command": name, "items": items, "seconds": round(seconds, 1), "processor": round(processor, 1)}
            print(json.dumps(told | {"peak_mb": round(peak), "baseline_mb": round(baseline)}), flush=True)


if __name__ == "__main__":
    main()
