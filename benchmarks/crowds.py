"""Faces in crowds: how many true and false ones a stricter final threshold, or confirmation by YuNet, removes.

    python benchmarks/crowds.py LFW --weights YUNET.onnx [--crowds 80] [--sheet others.png]

A crowd is twenty LFW photos, reduced to 125 pixels and tiled, five in a row: each has the face of one person in its
middle, of some 45 pixels, and sometimes bystanders. Whatever else MTCNN finds was checked by eye; crowd_faces.csv in
this folder says for each, by photo and position, whether it is a face. --sheet draws those that are not listed yet.

The output has, for each rule, the middle faces and the bystanders that it loses, and the false faces that remain.
"""

import argparse
import csv
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from facepipe.detection import Detector, Faces, create_detector, preset
from facepipe.detection.yunet import YuNet
from facepipe.images import read_rgb, write_rgb

SIDE, ACROSS, DOWN = 125, 5, 4
NEAR, OVERLAP = 0.25, 0.3
LABELS = Path(__file__).with_name("crowd_faces.csv")


@dataclass(frozen=True)
class Found:
    """A face that MTCNN finds.

    Attributes:
        photo: its LFW photo.
        x, y: middle of its box in the reduced photo, in pixels.
        score: MTCNN's.
        other_score: score of the YuNet face that overlaps it, 0 if there is none.
        middle: whether it is the face of the photo's person.
        look: the picture around it, uint8 100×100×3.
    """

    photo: str
    x: float
    y: float
    score: float
    other_score: float
    middle: bool
    look: np.ndarray


def photos_of(folder: Path, count: int) -> list[Path]:
    """One photo each of ``count`` people, evenly spread over the alphabet; the last one of people with several."""
    people = sorted(path for path in folder.iterdir() if path.is_dir())
    return [sorted(people[n * len(people) // count].iterdir())[-1] for n in range(count)]


def crowd(paths: list[Path]) -> np.ndarray:
    """uint8 500×625×3."""
    tiles = [cv2.resize(read_rgb(path), (SIDE, SIDE), interpolation=cv2.INTER_AREA) for path in paths]
    rows = [np.concatenate(tiles[first : first + ACROSS], 1) for first in range(0, len(tiles), ACROSS)]
    return np.ascontiguousarray(np.concatenate(rows))


def search(paths: list[Path], mtcnn: Detector, yunet: Detector) -> list[Found]:
    """All detections of MTCNN in one crowd."""
    image = crowd(paths)
    faces, others = mtcnn([image])[0], yunet([image])[0]
    found = []
    for box, score in zip(faces.boxes, faces.scores, strict=True):
        x, y = float(box[0] + box[2]) / 2, float(box[1] + box[3]) / 2
        column, row = int(np.clip(x // SIDE, 0, ACROSS - 1)), int(np.clip(y // SIDE, 0, DOWN - 1))
        x, y = x - column * SIDE, y - row * SIDE
        middle = max(abs(x - SIDE / 2), abs(y - SIDE / 2)) < NEAR * SIDE / 2
        name = paths[row * ACROSS + column].stem
        found.append(Found(name, x, y, float(score), _over(box, others), middle, _look(image, box)))
    return found


def _over(box: np.ndarray, faces: Faces) -> float:
    """The best score of the faces that overlap the box."""
    corner, end = np.maximum(faces.boxes[:, :2], box[:2]), np.minimum(faces.boxes[:, 2:], box[2:])
    shared = np.clip(end - corner, 0, None).prod(1)
    whole = (faces.boxes[:, 2:] - faces.boxes[:, :2]).prod(1) + (box[2:] - box[:2]).prod() - shared
    return float(faces.scores[shared / whole > OVERLAP].max(initial=0))


def _look(image: np.ndarray, box: np.ndarray) -> np.ndarray:
    left, top, right, bottom = np.round(box).astype(int)
    more = max(right - left, bottom - top) // 2
    left, top = max(left - more, 0), max(top - more, 0)
    return cv2.resize(image[top : bottom + more, left : right + more], (100, 100))


def labelled() -> dict[str, list[tuple[float, float, bool]]]:
    """Photo → positions that were checked by eye, and whether there is a face."""
    known: dict[str, list[tuple[float, float, bool]]] = {}
    with LABELS.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            place = float(row["x"]), float(row["y"]), row["face"] == "1"
            known.setdefault(row["photo"], []).append(place)
    return known


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lfw", type=Path)
    parser.add_argument("--weights", type=Path, required=True, help="YuNet's file.")
    parser.add_argument("--crowds", type=int, default=80)
    parser.add_argument("--sheet", type=Path, help="Picture of detections that are not listed.")
    given = parser.parse_args()
    each = ACROSS * DOWN
    paths = photos_of(given.lfw, given.crowds * each)
    mtcnn, yunet = create_detector(preset(), "cpu"), YuNet(given.weights, preset("yunet").with_least_score(0.6))
    found = [one for n in range(given.crowds) for one in search(paths[n * each :][:each], mtcnn, yunet)]
    known = labelled()
    middle = [one for one in found if one.middle]
    truth = {id(one): _truth(one, known) for one in found if not one.middle}
    people = [one for one in found if truth.get(id(one)) is True]
    false = [one for one in found if truth.get(id(one)) is False]
    unknown = [one for one in found if id(one) in truth and truth[id(one)] is None]
    print(f"{len(paths)} photos, {len(middle)} middle faces, {len(people)} bystanders, {len(false)} false faces")
    rules = {f"score above {least}": lambda one, least=least: one.score > least for least in (0.9, 0.95, 0.98, 0.99)}
    rules |= {f"YuNet at {least}": lambda one, least=least: one.other_score >= least for least in (0.6, 0.7, 0.8)}
    print("\n| asked for | middle faces lost | bystanders lost | false faces left |\n|---|---|---|---|")
    for name, passes in rules.items():
        lost = (sum(not passes(one) for one in group) for group in (middle, people))
        print(f"| {name} | {' | '.join(map(str, lost))} | {sum(map(passes, false))} |")
    if unknown:
        print(f"\nnot checked yet: {len(unknown)}")
        for one in unknown:
            print(f"{one.photo},{one.x:.0f},{one.y:.0f},  {one.score:.4f} {one.other_score:.2f}")
    if given.sheet and unknown:
        write_rgb(given.sheet, _sheet(unknown))


def _truth(one: Found, known: dict[str, list[tuple[float, float, bool]]]) -> bool | None:
    near = [face for x, y, face in known.get(one.photo, []) if max(abs(one.x - x), abs(one.y - y)) < 8]
    return near[0] if near else None


def _sheet(found: list[Found]) -> np.ndarray:
    tiles = [one.look for one in found] + [np.zeros((100, 100, 3), np.uint8)] * (-len(found) % 10)
    return np.concatenate([np.concatenate(tiles[first : first + 10], 1) for first in range(0, len(tiles), 10)])


if __name__ == "__main__":
    main()
