"""MTCNN and YuNet on LFW photos: whole, tightly cropped, rotated and small; faces found, other faces, landmarks, rate.

    python benchmarks/detectors.py ../shared --weights FILE --count 300

The reference face of a photo is the one that MTCNN finds in the middle of the whole photo. MTCNN's own error on whole
photos is therefore 0 by construction, and YuNet's there is the distance between the two. A face counts as found if its
landmarks are within 0.3 eye distances of the reference on average; some of the others on whole photos are bystanders.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from face_pack import cut_to_box, error, lfw, resized, turned

from facepipe.detection import Detector, DetectorSettings, create_detector, preset
from facepipe.detection.repeated import RepeatedSearch
from facepipe.detection.yunet import YuNet

FRAMES = {
    "whole": lambda photo: photo,
    "cut to the box": cut_to_box,
    "5 % off each side": lambda photo: cut_to_box(photo, -0.05),
    "10 % off each side": lambda photo: cut_to_box(photo, -0.1),
    "a quarter turn": lambda photo: turned(photo, 1),
    "face of 32 pixels": lambda photo: resized(photo, 32),
    "face of 24 pixels": lambda photo: resized(photo, 24),
}
SEARCHES = {"mtcnn": preset(turns=True), "yunet": preset("yunet", turns=True)}
"""The search of 'facepipe compare': in a border if nothing is found, and rotated if there is no confident face."""
FOUND = 0.3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path)
    parser.add_argument("--weights", type=Path, help="YuNet's file [default: the pulled one].")
    parser.add_argument("--count", type=int, default=300)
    options = parser.parse_args()
    photos = lfw(options.shared, options.count)
    detectors = {name: _detector(settings, options.weights) for name, settings in SEARCHES.items()}
    print(f"{len(photos)} photos\n\n| photos | detector | found | other faces | error, median (p90) | photos/s |")
    print("|---" * 6 + "|")
    for name, frame in FRAMES.items():
        framed = [frame(photo) for photo in photos]
        for detector, search in detectors.items():
            start = time.perf_counter()
            faces = search([photo.pixels for photo in framed])
            rate = len(framed) / (time.perf_counter() - start)
            errors = np.array([error(photo, found) for photo, found in zip(framed, faces, strict=True)])
            good = errors[errors < FOUND]
            others = sum(map(len, faces)) - len(good)
            median, high = np.quantile(good, [0.5, 0.9]) if len(good) else (np.nan, np.nan)
            row = name, detector, len(good), others, f"{median:.3f} ({high:.3f})", f"{rate:.1f}"
            print(f"| {' | '.join(map(str, row))} |", flush=True)


def _detector(settings: DetectorSettings, weights: Path | None) -> Detector:
    if settings.detector == "yunet" and weights is not None:
        return RepeatedSearch(YuNet(weights, settings), settings)
    return create_detector(settings, "cpu")


if __name__ == "__main__":
    main()
