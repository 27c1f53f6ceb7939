"""Further searches of images in which nothing was found: in a black border, rotated, and with a lower threshold.

A face that fills or overflows the photo does not fit P-Net's windows, which lie inside the image, unless a border is
added. A photo that lost its EXIF orientation is on its side. A face without chin and forehead scores lower. Images with
a face (with ``turns``: a confident face) cost nothing extra.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from facepipe.detection.detector import Detector
from facepipe.detection.faces import PLAIN, Faces
from facepipe.detection.scaling import enlarged, reduced
from facepipe.detection.settings import DetectorSettings
from facepipe.detection.shared_tables import SharedTables, share_tables

_BORDER = 0.5
"""As a fraction of the longer side. Repeating or mirroring the image's edge instead of black finds false faces."""
_SHORTER_SIDE = 256
"""Pixels to which an image is reduced for its border: such faces are large, and the border quadruples the area."""
_TOGETHER = 16
"""Maximum number of images copied at once."""


class RepeatedSearch:
    """A detector that searches images without a face again, see `DetectorSettings`.

    Args:
        detector: used for every search except the last.
        settings: ``border`` and ``turns`` determine the further searches, and ``confident_score`` the score from which
            a photo need not be rotated.
        lenient: creates the detector of the last search, in a border; None means no such search.
    """

    def __init__(
        self, detector: Detector, settings: DetectorSettings, lenient: Callable[[], Detector] | None = None
    ) -> None:
        self._detector, self.settings, self._make_lenient = detector, settings, lenient

    @cached_property
    def _lenient(self) -> Detector:
        assert self._make_lenient is not None
        return self._make_lenient()

    def share_tables(self, kept: SharedTables) -> None:
        """See `facepipe.detection.shared_tables.SharingDetector`; of the photos themselves, not of their views."""
        share_tables(self._detector, kept)

    def __call__(self, images: Sequence[np.ndarray]) -> list[Faces]:
        """See `Detector`; ``Faces.search`` says which search found the faces."""
        found = self._detector(images)
        confident = self.settings.confident_score
        if self.settings.turns:
            doubtful = [number for number, faces in enumerate(found) if 0 < _best(faces) < confident]
            for number, faces in self._search_again(images, doubtful, _TURNED):
                if _best(faces) >= confident:
                    found[number] = faces
        for views in _rounds(self.settings) + [[_LAST]] * (self._make_lenient is not None):
            missing = [number for number, faces in enumerate(found) if len(faces) == 0]
            for number, faces in self._search_again(images, missing, views):
                if len(faces):
                    found[number] = faces
        return found

    def _search_again(
        self, images: Sequence[np.ndarray], which: list[int], views: "list[_View]"
    ) -> Iterator[tuple[int, Faces]]:
        for first in range(0, len(which), _TOGETHER):
            chunk = which[first : first + _TOGETHER]
            yield from zip(chunk, self._best_views([images[number] for number in chunk], views), strict=True)

    def _best_views(self, images: list[np.ndarray], views: "list[_View]") -> list[Faces]:
        """For each image, the faces in the view whose best face scores highest."""
        each = [self._search(images, view) for view in views]
        return [max(faces, key=_best) for faces in zip(*each, strict=True)]

    def _search(self, images: list[np.ndarray], view: "_View") -> list[Faces]:
        found = (self._lenient if view.lenient else self._detector)([view.of(image) for image in images])
        return [view.back(faces, image) for faces, image in zip(found, images, strict=True)]


def _best(faces: Faces) -> float:
    return float(faces.scores.max(initial=0))


def _rounds(settings: DetectorSettings) -> "list[list[_View]]":
    """Searches after the first. Each round is for images in which the previous one found nothing."""
    bordered, turned = [_View(0, True)] * settings.border, _TURNED * settings.turns
    both = [_View(k, True) for k in (1, 2, 3)] * (settings.border and settings.turns)
    return [views for views in (bordered + turned, both) if views]


@dataclass(frozen=True)
class _View:
    """An image rotated counterclockwise by quarter turns, with or without a black border, and the threshold to use."""

    turns: int
    bordered: bool
    lenient: bool = False

    @property
    def name(self) -> str:
        """As in ``Faces.search``."""
        words = ["lenient"] * self.lenient + ["border"] * self.bordered
        return "-".join(words + [f"turned-{90 * self.turns}"] * (self.turns > 0)) or PLAIN

    def of(self, image: np.ndarray) -> np.ndarray:
        """The view of an image."""
        if self.bordered:
            height, width = _reduced(image)
            side = _border(height, width)
            image = np.pad(reduced(image, height, width), ((side, side), (side, side), (0, 0)))
        return np.ascontiguousarray(np.rot90(image, self.turns))

    def back(self, faces: Faces, image: np.ndarray) -> Faces:
        """Faces found in the view of ``image``, in the image's own pixels."""
        full = image.shape[0], image.shape[1]
        height, width = _reduced(image) if self.bordered else full
        side = _border(height, width) if self.bordered else 0
        faces = _upright(faces, self.turns, height + 2 * side, width + 2 * side).moved((1, 1), (-side, -side))
        return replace(enlarged(faces, (height, width), full), search=self.name)


_TURNED = [_View(k, False) for k in (1, 2, 3)]
_LAST = _View(0, True, lenient=True)


def _reduced(image: np.ndarray) -> tuple[int, int]:
    """(height, width) to which an image is reduced before it gets its border."""
    height, width = image.shape[:2]
    ratio = min(1.0, _SHORTER_SIDE / min(height, width))
    return max(1, round(height * ratio)), max(1, round(width * ratio))


def _border(height: int, width: int) -> int:
    return max(1, round(_BORDER * max(height, width)))


def _upright(faces: Faces, turns: int, height: int, width: int) -> Faces:
    """Faces in an image of this size that np.rot90 rotated ``turns`` times, in pixels of the image before rotation."""
    corners, landmarks = faces.boxes.reshape(-1, 2, 2), faces.landmarks
    for done in range(turns):
        # The rotation to undo moved the right edge to the top; the image was then as wide as it is now high.
        last = np.float32((width if (turns - done) % 2 else height) - 1)
        corners, landmarks = (np.stack([last - p[..., 1], p[..., 0]], -1) for p in (corners, landmarks))
    boxes = np.concatenate([corners.min(1), corners.max(1)], 1)
    return replace(faces, boxes=boxes, landmarks=landmarks)
