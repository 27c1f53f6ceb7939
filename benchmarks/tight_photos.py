"""How well are faces found in tightly framed photos?

    python benchmarks/tight_photos.py LFW [--count 300] [--peer]

One photo each of ``--count`` people of LFW, evenly spread over the alphabet, is cropped to its face's box with a margin
relative to its sides (negative: inside the box, on each side). The landmarks found there are compared with those found
in the whole photo: mean distance of the five in eye distances, for the nearest face. Prints JSON, for each margin with
a single search and with a second one in a black border: ``missed`` photos without a face, median and p90 of the
error, ``off`` photos in which every face is off by more than 0.2 eye distances, and the rate. With --peer also for
facenet-pytorch's MTCNN with equal settings, which clips candidates at the edge.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from facepipe.detection import DetectorSettings, Faces, choose, create_detector
from facepipe.images import read_rgb

MARGINS = (0.1, 0.0, -0.05, -0.1)


def known_faces(folder: Path, count: int) -> list[tuple[np.ndarray, Faces]]:
    """Photos with the face in their middle."""
    people = sorted(path for path in folder.iterdir() if path.is_dir())
    images = [read_rgb(sorted(people[n * len(people) // count].iterdir())[0]) for n in range(count)]
    found = zip(images, create_detector(DetectorSettings(border=False))(images), strict=True)
    return [(image, faces.take(choose(faces, "centre", image.shape[:2]))) for image, faces in found if len(faces)]


def cut_to_box(image: np.ndarray, face: Faces, margin: float) -> tuple[np.ndarray, np.ndarray]:
    """The image cut to the face's box with a margin in shares of its sides, and the landmarks in it, 5×2."""
    left, top, right, bottom = face.boxes[0]
    extra = margin * np.array([right - left, bottom - top])
    x, y = np.maximum(np.round([left, top] - extra), 0).astype(int)
    x_end, y_end = np.minimum(np.round([right, bottom] + extra), image.shape[1::-1]).astype(int)
    return np.ascontiguousarray(image[y:y_end, x:x_end]), face.landmarks[0] - [x, y]


def measure(
    photos: list[tuple[np.ndarray, np.ndarray]], detector: Callable[[Sequence[np.ndarray]], list[Faces]]
) -> dict[str, Any]:
    """Find the known landmarks again in cut photos."""
    start = time.perf_counter()
    found = detector([image for image, _ in photos])
    seconds = time.perf_counter() - start
    errors = np.array([_error(faces, landmarks) for faces, (_, landmarks) in zip(found, photos, strict=True)])
    hit = errors[np.isfinite(errors)]
    return {
        "photos": len(photos),
        "missed": int(np.isinf(errors).sum()),
        "median": round(float(np.median(hit)), 4),
        "p90": round(float(np.quantile(hit, 0.9)), 4),
        "off": int((hit > 0.2).sum()),
        "more_faces": sum(len(faces) > 1 for faces in found),
        "per_second": round(len(photos) / seconds, 1),
    }


def _error(faces: Faces, landmarks: np.ndarray) -> float:
    eyes = np.linalg.norm(landmarks[0] - landmarks[1])
    return float(np.linalg.norm(faces.landmarks - landmarks, axis=2).mean(1).min(initial=np.inf) / eyes)


def _peer() -> Callable[[Sequence[np.ndarray]], list[Faces]]:
    from detector_parity import peer, peer_faces

    mtcnn = peer(DetectorSettings())
    return lambda images: peer_faces(mtcnn, list(images))


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description="Faces in photos that are framed tightly.")
    parser.add_argument("folder", type=Path, help="LFW's folder of people")
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--peer", action="store_true", help="also facenet-pytorch")
    arguments = parser.parse_args()
    faces = known_faces(arguments.folder, arguments.count)
    detectors: dict[str, Callable[[Sequence[np.ndarray]], list[Faces]]] = {
        "single": create_detector(DetectorSettings(border=False), arguments.device),
        "and in a border": create_detector(DetectorSettings(), arguments.device),
    }
    if arguments.peer:
        detectors = {"facenet-pytorch": _peer(), **detectors}
    for margin in MARGINS:
        photos = [cut_to_box(image, face, margin) for image, face in faces]
        for name, detector in detectors.items():
            print(json.dumps({"margin": margin, "search": name, **measure(photos, detector)}), flush=True)


if __name__ == "__main__":
    main()
