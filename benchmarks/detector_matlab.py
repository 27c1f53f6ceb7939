"""Does the preset sphereface-matlab agree with the authors' MATLAB code up to rounding?

    python benchmarks/detector_matlab.py FOLDER [--limit 200] [--ordinary]

compares it with the longhand port of detect_face.m in tests/mtcnn_longhand.py on photos spread evenly over FOLDER and
prints JSON: photos, faces, photos with another number of faces, the largest differences of boxes and landmarks in
pixels, and the photos where one is above 1 px or 0.1 px. With --ordinary the preset sphereface is measured instead,
with the resizing and the roundings of its own port, to 0.01 px.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
import mtcnn_longhand as longhand

from facepipe.detection import create_detector, preset
from facepipe.images import list_images, read_rgb

_TOGETHER = 16


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--limit", type=int, default=200)
    parser.add_argument("--ordinary", action="store_true")
    given = parser.parse_args()
    every = list(list_images(given.folder))
    paths = every[:: max(1, len(every) // given.limit)][: given.limit]
    name, rules = ("sphereface", longhand.PYTORCH) if given.ordinary else ("sphereface-matlab", longhand.MATLAB)
    most_box, most_landmark = (0.01, 0.01) if given.ordinary else (1.0, 0.1)
    detector = create_detector(preset(name), "cpu")
    faces, worst_box, worst_landmark, other, apart = 0, 0.0, 0.0, [], []
    for first in range(0, len(paths), _TOGETHER):
        images = [read_rgb(path) for path in paths[first : first + _TOGETHER]]
        for path, image, found in zip(paths[first:], images, detector(images), strict=False):
            expected = longhand.detect(image, rules=rules)
            faces += len(expected.boxes)
            if len(found) != len(expected.boxes):
                other.append(str(path))
                continue
            box = float(np.abs(found.boxes + 1 - expected.boxes).max(initial=0))
            landmark = float(np.abs(found.landmarks + 1 - expected.landmarks).max(initial=0))
            worst_box, worst_landmark = max(worst_box, box), max(worst_landmark, landmark)
            if box > most_box or landmark > most_landmark:
                apart.append({"photo": str(path), "box": box, "landmark": landmark})
    told = {"preset": name, "photos": len(paths), "faces": faces, "other_number_of_faces": other}
    print(json.dumps({**told, "worst_box": worst_box, "worst_landmark": worst_landmark, "apart": apart}, indent=2))


if __name__ == "__main__":
    main()
