"""Photos of faces framed as users frame them: cut to and into the face, turned, tiny and huge.

Each carries its five landmarks along, so that a detector can be held against them.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np


@dataclass(frozen=True)
class FacePhoto:
    """A photo with one face that is known.

    Attributes:
        pixels: uint8 H×W×3 RGB.
        landmarks: float 5×2, (x, y) as 0-based pixels: left eye, right eye, nose tip, left and right mouth
            corner; left and right as seen where the face stands upright.
        box: (left, top, right, bottom) of the face in pixels; may reach beyond the photo.
    """

    pixels: np.ndarray
    landmarks: np.ndarray
    box: np.ndarray

    @property
    def eye_distance(self) -> float:
        """Between the eyes, in pixels."""
        return float(np.linalg.norm(self.landmarks[1] - self.landmarks[0]))

    @property
    def side(self) -> float:
        """The longer side of the face's box, in pixels."""
        return float(max(self.box[2] - self.box[0], self.box[3] - self.box[1]))


def astronaut() -> FacePhoto:
    """Eileen Collins, 512×512, the whole face inside; scikit-image carries it."""
    from skimage.data import astronaut as photo

    # MTCNN's on the whole photo, checked by eye.
    points = [(203.5, 99.5), (246.5, 102.5), (224, 126.5), (201.5, 138.5), (245, 141)]
    return FacePhoto(np.asarray(photo()), np.array(points), np.array([178.9, 59.4, 268.6, 176.2]))


def hopper() -> FacePhoto:
    """Grace Hopper, 600×512, with glasses and a cap; matplotlib carries it."""
    from matplotlib import cbook

    with cbook.get_sample_data("grace_hopper.jpg") as file:
        pixels = cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_COLOR)
    points = [(221.5, 191.5), (308.5, 186), (267, 237), (231.5, 276.5), (306, 272.5)]
    return FacePhoto(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.array(points), np.array([173.9, 113.1, 354.5, 334.1]))


PACKAGED = {"astronaut": astronaut, "hopper": hopper}
"""Those that are at hand wherever the tests run."""


def lfw(shared: Path, count: int) -> list[FacePhoto]:
    """People of LFW, evenly spread over the alphabet, one photo each; their face is what MTCNN finds in the middle."""
    people = sorted((shared / "data" / "lfw").iterdir())
    return _known([sorted(people[index * len(people) // count].iterdir())[0] for index in range(count)])


def lfw_photo(shared: Path, name: str, number: int) -> FacePhoto:
    """One photo of LFW by person and number."""
    return _known([shared / "data" / "lfw" / name / f"{name}_{number:04d}.jpg"])[0]


def _known(paths: list[Path]) -> list[FacePhoto]:
    from facepipe.detection import choose, create_detector

    photos = [cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB) for path in paths]
    known = []
    for pixels, faces in zip(photos, create_detector()(photos), strict=True):
        middle = choose(faces, "centre", pixels.shape[:2])
        known += [FacePhoto(pixels, faces.landmarks[index], faces.boxes[index]) for index in middle]
    return known


def cut_to_box(photo: FacePhoto, margin: float = 0.0) -> FacePhoto:
    """Cut to the face's box with ``margin`` of its width and height more at each side; below 0, into the face."""
    left, top, right, bottom = photo.box
    extra = margin * np.array([right - left, bottom - top])
    height, width = photo.pixels.shape[:2]
    x0, y0 = np.maximum(np.round([left, top] - extra), 0).astype(int)
    x1, y1 = np.minimum(np.round([right, bottom] + extra), [width, height]).astype(int)
    pixels = np.ascontiguousarray(photo.pixels[y0:y1, x0:x1])
    return FacePhoto(pixels, photo.landmarks - (x0, y0), photo.box - (x0, y0, x0, y0))


def turned(photo: FacePhoto, quarters: int) -> FacePhoto:
    """Turned by quarter turns against the clock, as a camera does whose orientation got lost."""
    landmarks, corners, pixels = photo.landmarks, photo.box.reshape(2, 2), photo.pixels
    for _ in range(quarters % 4):
        # What was on the right comes to the top.
        last = pixels.shape[1] - 1
        landmarks, corners = (np.stack([points[:, 1], last - points[:, 0]], 1) for points in (landmarks, corners))
        pixels = np.rot90(pixels)
    box = np.concatenate([corners.min(0), corners.max(0)])
    return FacePhoto(np.ascontiguousarray(pixels), landmarks, box)


def resized(photo: FacePhoto, side: float) -> FacePhoto:
    """The whole photo reduced or enlarged until the longer side of the face's box has ``side`` pixels."""
    factor = side / photo.side
    height, width = (max(1, round(length * factor)) for length in photo.pixels.shape[:2])
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    # Pixel centres are at integers, the photo's corner half a pixel before the first.
    scale = np.array([width, height]) / photo.pixels.shape[1::-1]
    landmarks = (photo.landmarks + 0.5) * scale - 0.5
    box = (photo.box + 0.5) * np.tile(scale, 2) - 0.5
    return FacePhoto(cv2.resize(photo.pixels, (width, height), interpolation=how), landmarks, box)


def error(photo: FacePhoto, faces) -> float:
    """Mean distance of the nearest found face's landmarks from the known ones in eye distances; infinite for none."""
    distances = np.linalg.norm(faces.landmarks - photo.landmarks, axis=2).mean(1)
    return float(distances.min(initial=np.inf) / photo.eye_distance)
