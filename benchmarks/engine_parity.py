"""Do both engines give the same answer?

    python benchmarks/engine_parity.py LFW [--count 2000] [--framed 100] [-m facepipe-mobilenet]

Detects, aligns and embeds one photo each of ``--count`` people of LFW, evenly spread over the alphabet, by PyTorch in
float32 and by the ONNX engine. ``--framed`` of the photos are also cut to and into the face's box, turned by quarter
turns (and searched with turns), and scaled until the face's longer side is 24 or 400 pixels.

Prints JSON, for each framing: ``photos``; ``faces`` found by each engine; ``unequal`` photos with another number of
faces or another search that found them; the largest differences of boxes and landmarks in pixels and of scores. For the
whole photos also: the largest difference of kappa as a share, of the cosines of all pairs, and how many decisions at
the thresholds of the model's card differ.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tight_photos import cut_to_box

from facepipe.alignment import Aligner, template
from facepipe.detection import Detector, Faces, choose, create_detector, preset
from facepipe.embedding import Embedder
from facepipe.images import read_rgb
from facepipe.zoo import load

BATCH = 32


def framings(photos: list[np.ndarray], found: list[Faces]) -> Iterator[tuple[str, list[np.ndarray]]]:
    """Photos as users frame them, with what was done to them."""
    boxed = []
    for image, faces in zip(photos, found, strict=True):
        middle = choose(faces, "centre", image.shape[:2])
        boxed += [(image, faces.take([index])) for index in middle]
    for margin in (0.0, -0.05, -0.1):
        yield f"cut to the box, margin {margin:+.0%}", [cut_to_box(image, face, margin)[0] for image, face in boxed]
    for quarters in (1, 2, 3):
        turned = [np.ascontiguousarray(np.rot90(image, quarters)) for image in photos]
        yield f"turned by {90 * quarters} degrees", turned
    for side in (24, 400):
        scaled = [_scaled(image, side / np.ptp(face.boxes.reshape(2, 2), axis=0).max()) for image, face in boxed]
        yield f"face of {side} pixels", scaled


def _scaled(image: np.ndarray, factor: float) -> np.ndarray:
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return cv2.resize(image, None, fx=factor, fy=factor, interpolation=how)


def detect(detector: Detector, images: list[np.ndarray]) -> list[Faces]:
    """Faces of all images, in batches."""
    return [faces for start in range(0, len(images), BATCH) for faces in detector(images[start : start + BATCH])]


def compare_faces(light: list[Faces], torch: list[Faces]) -> dict[str, Any]:
    """Where two detections of the same photos differ."""
    row: dict[str, Any] = {"photos": len(light), "faces": [sum(map(len, light)), sum(map(len, torch))], "unequal": 0}
    worst = {"boxes_px": 0.0, "landmarks_px": 0.0, "scores": 0.0}
    for one, other in zip(light, torch, strict=True):
        if (len(one), one.search) != (len(other), other.search):
            row["unequal"] += 1
            continue
        for name, difference in (
            ("boxes_px", one.boxes - other.boxes),
            ("landmarks_px", one.landmarks - other.landmarks),
            ("scores", one.scores - other.scores),
        ):
            worst[name] = max(worst[name], float(np.abs(difference).max(initial=0)))
    return row | {name: float(f"{value:.2g}") for name, value in worst.items()}


def compare_embeddings(model: str, photos: list[np.ndarray], found: dict[str, list[Faces]]) -> dict[str, Any]:
    """Where kappa, cosines and decisions differ; of the photos in which both engines found a face."""
    vectors, kappas, thresholds = {}, {}, []
    for engine, every in found.items():
        network = load(model, "cpu", engine)
        aligner = Aligner(template(network.card.input.template))
        crops = []
        for image, faces, others in zip(photos, every, found["torch"], strict=True):
            if len(faces) and len(others):
                index = int(choose(faces, "centre", image.shape[:2])[0])
                crops.append(aligner(image, faces.landmarks[index]))
        embedder = Embedder(network, precision="float32")
        rows = [embedder(np.stack(crops[start : start + BATCH])) for start in range(0, len(crops), BATCH)]
        together = np.concatenate([part.mu for part in rows])
        vectors[engine] = together / np.linalg.norm(together, axis=1, keepdims=True)
        kappas[engine] = np.concatenate([part.kappa for part in rows if part.kappa is not None] or [[]])
        thresholds = [limit.value for limit in network.card.thresholds if limit.score == "cosine"]
    light, torch = (vectors[name] @ vectors[name].T for name in ("onnx", "torch"))
    pairs = np.triu_indices(len(light), 1)
    light, torch = light[pairs], torch[pairs]
    return {
        "embedded": len(vectors["onnx"]),
        "kappa": float(f"{np.abs(kappas['onnx'] / kappas['torch'] - 1).max(initial=0):.2g}"),
        "cosine": float(f"{np.abs(light - torch).max(initial=0):.2g}"),
        "decisions": len(light) * len(thresholds),
        "decided_otherwise": int(sum(((light >= at) != (torch >= at)).sum() for at in thresholds)),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lfw", type=Path, help="folder with a folder for each person")
    parser.add_argument("--count", type=int, default=2000, help="people, one photo each")
    parser.add_argument("--framed", type=int, default=100, help="photos framed in other ways")
    parser.add_argument("-m", "--model", default="facepipe-mobilenet")
    given = parser.parse_args()
    people = sorted(path for path in given.lfw.iterdir() if path.is_dir())
    count = min(given.count, len(people))
    photos = [read_rgb(sorted(people[n * len(people) // count].iterdir())[0]) for n in range(count)]
    found = {engine: detect(create_detector(preset(), "cpu", engine), photos) for engine in ("onnx", "torch")}
    rows = {"whole photos": compare_faces(found["onnx"], found["torch"])}
    rows["whole photos"] |= compare_embeddings(given.model, photos, found)
    some = slice(None, None, max(1, count // max(1, given.framed)))
    if given.framed:
        for name, images in framings(photos[some], found["torch"][some]):
            both = (detect(create_detector(preset(turns=True), "cpu", engine), images) for engine in ("onnx", "torch"))
            rows[name] = compare_faces(*both)
    print(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
