"""How faces are searched: one value from the command line to the detector, recorded whole beside every result."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from facepipe.detection.detectors import DETECTORS, PRESETS
from facepipe.errors import FacepipeError


@dataclass(frozen=True)
class DetectorSettings:
    """How a detector searches.

    Attributes:
        detector: name in `facepipe.detection.DETECTORS`.
        min_face: side of the smallest face that is sought, in pixels.
        factor: ratio of neighbouring levels of an image pyramid, between 0 and 1.
        thresholds: score that each stage asks for, the last one of a face; MTCNN has three, for P-, R- and O-Net.
        max_pixels: larger images are searched at this many pixels, so that one huge photo cannot take all memory;
            the smallest face that is found grows with the reduction.
        border: whether an image in which nothing was found is searched once more inside a black border, for faces
            that fill the photo or reach beyond it.
        lenient: last threshold of a last search in such a border, of images in which all others found nothing; None:
            there is none, nor where ``border`` is false.
        turns: whether an image in which nothing was found, or no sure face, is searched turned by 90, 180 and 270
            degrees; there, too, a doubtful face gives way only to a sure one.
        sure: score from which a face is sure. Faces on their side may be found as they lie, with landmarks that are all
            wrong, but hardly with such a score, which is another one for each detector.
    """

    detector: str = "mtcnn"
    min_face: float = 20
    factor: float = 0.85
    thresholds: tuple[float, ...] = (0.6, 0.7, 0.9)
    max_pixels: int = 16_000_000
    border: bool = True
    lenient: float | None = 0.7
    turns: bool = False
    sure: float = 0.99

    def __post_init__(self) -> None:
        kind = DETECTORS[self.detector]
        if not self.min_face >= kind.smallest_face:
            raise FacepipeError(
                f"minimum face {self.min_face} is below the {kind.smallest_face} pixels that {self.detector} needs; "
                "raise it"
            )
        if not 0.1 <= self.factor <= 0.95:
            raise FacepipeError(f"pyramid factor {self.factor} must lie between 0.1 and 0.95")
        if len(self.thresholds) != kind.stages or not all(0 <= value < 1 for value in self.thresholds):
            given = ", ".join(map(str, self.thresholds))
            raise FacepipeError(
                f"thresholds {given}: {self.detector} takes {kind.stages}, each from 0 up to, not including, 1"
            )
        if self.lenient is not None and not 0 <= self.lenient < 1:
            raise FacepipeError(f"{self.lenient}, the lenient threshold, must be 0 or more and less than 1")
        if not 0 <= self.sure <= 1:
            raise FacepipeError(f"{self.sure}, the score of a sure face, must lie between 0 and 1")
        if not self.max_pixels >= 1:
            raise FacepipeError(f"the limit of {self.max_pixels} pixels must be at least 1")

    def with_least_score(self, score: float) -> "DetectorSettings":
        """The same with another last threshold, which a face's score has to exceed in every search."""
        return replace(self, thresholds=(*self.thresholds[:-1], score), lenient=None)

    def for_last_search(self) -> "DetectorSettings | None":
        """Those of the lenient search; None where there is none, or would be no more lenient."""
        if not self.border or self.lenient is None or self.lenient >= self.thresholds[-1]:
            return None
        return self.with_least_score(self.lenient)

    def to_dict(self) -> dict[str, Any]:
        """All settings as plain JSON values."""
        return asdict(self) | {"thresholds": list(self.thresholds)}


def preset(name: str = "sphereface", **changes: Any) -> DetectorSettings:
    """Settings by name, with the given fields changed where the value is not None.

    Raises:
        FacepipeError: unknown preset or a value out of range.
    """
    return replace(PRESETS[name].settings, **{field: value for field, value in changes.items() if value is not None})
