"""The whole of ``facepipe preprocess``, with decoding and JPEG, against a plain loop over facenet-pytorch and OpenCV.

    python benchmarks/preprocess.py LFW [--limit 512] [--rounds 2]

Each variant starts a process of its own, taking turns. The loop is typical user code: `cv2.imread`, facenet-pytorch's
MTCNN with facepipe's settings (one photo at a time, or 32 of one size together), the face nearest the centre, a
similarity fitted by OpenCV, `cv2.warpAffine`, `cv2.imwrite`. Prints a line of JSON per variant: photos and crops, the
seconds of each round from start to end, and photos per second of the best.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from facepipe.images import list_images


def loop(photos: Path, out: Path, together: int) -> None:
    """The plain loop, in a process that has nothing else loaded."""
    import cv2
    import numpy as np
    import torch
    from facenet_pytorch import MTCNN

    from facepipe.alignment import template
    from facepipe.detection import preset

    settings, target = preset("sphereface"), np.array(template("112x112").points, np.float32)
    mtcnn = MTCNN(
        min_face_size=settings.min_face, factor=settings.factor, thresholds=list(settings.thresholds), keep_all=True,
        device=torch.device("cpu"),
    )  # fmt: skip
    for paths in parts(photos, together):
        images = [cv2.imread(str(path)) for path in paths]
        boxes, _, points = mtcnn.detect(np.stack(images)[..., ::-1].copy(), landmarks=True)
        for path, image, found, landmarks in zip(paths, images, boxes, points, strict=True):
            if found is None:
                continue
            middle = np.array(image.shape[1::-1]) / 2
            away = np.abs((found[:, :2] + found[:, 2:]) / 2 - middle).sum(1)
            fitted, _ = cv2.estimateAffinePartial2D(
                landmarks[away.argmin()].astype(np.float32), target, method=cv2.LMEDS
            )
            if fitted is not None:
                folder = out / path.parent.name
                folder.mkdir(parents=True, exist_ok=True)
                crop = cv2.warpAffine(image, fitted, (112, 112), flags=cv2.INTER_LINEAR)
                cv2.imwrite(str(folder / path.name), crop, [cv2.IMWRITE_JPEG_QUALITY, 95])


def parts(photos: Path, together: int) -> Iterator[list[Path]]:
    paths = iter(list_images(photos))
    while part := list(islice(paths, together)):
        yield part


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("photos", type=Path)
    options.add_argument("--limit", type=int, default=512)
    options.add_argument("--rounds", type=int, default=2)
    options.add_argument("--loop", nargs=2, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.loop:
        loop(given.photos, Path(given.loop[0]), int(given.loop[1]))
        return
    with tempfile.TemporaryDirectory() as name:
        some = Path(name) / "photos"
        for path in islice(list_images(given.photos), given.limit):
            (some / path.parent.name).mkdir(parents=True, exist_ok=True)
            shutil.copy(path, some / path.parent.name)
        out = Path(name) / "crops"
        again = [sys.executable, __file__, str(some), "--loop", str(out)]
        ways = {
            "facepipe preprocess": [sys.executable, "-m", "facepipe", "preprocess", str(some), str(out)],
            "facenet-pytorch and OpenCV, one by one": [*again, "1"],
            "facenet-pytorch and OpenCV, 32 together": [*again, "32"],
        }
        spent: dict[str, list[float]] = {way: [] for way in ways}
        crops = {}
        for _ in range(given.rounds):
            for way, words in ways.items():
                begin = time.monotonic()
                subprocess.run(words, check=True, capture_output=True)
                spent[way].append(round(time.monotonic() - begin, 2))
                crops[way] = len(list(out.rglob("*.jpg")))
                shutil.rmtree(out)
    for way, seconds in spent.items():
        told = {"way": way, "photos": given.limit, "crops": crops[way], "seconds": seconds}
        print(json.dumps(told | {"per second": round(given.limit / min(seconds), 1)}))


if __name__ == "__main__":
    main()
