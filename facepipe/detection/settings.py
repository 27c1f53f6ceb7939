"""The settings of a search for faces: one value from the command line to the detector, recorded with every result."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from facepipe.detection.detectors import DETECTORS, PRESETS
from facepipe.errors import FacepipeError

_FORMER_NAMES = {"sure": "confident_score"}
"""Former → present names of settings, for records written by earlier versions."""


@dataclass(frozen=True)
class DetectorSettings:
    """Settings of a detector.

    Attributes:
        detector: name in `facepipe.detection.DETECTORS`.
        min_face: side of the smallest face to search for, in pixels.
        factor: ratio between successive levels of an image pyramid, between 0 and 1.
        thresholds: minimum score of each stage, the last being that of a face; MTCNN has three, for P-, R- and O-Net.
        max_pixels: larger images are reduced to this many pixels, so that one huge photo cannot use up all memory;
            the smallest face that can be found grows accordingly.
        border: whether an image in which nothing was found is searched again inside a black border, for faces
            that fill the photo or extend beyond it.
        lenient: final threshold of one last search in such a border, for images in which all others found nothing;
            None, or a false ``border``, means no such search.
        turns: whether an image with no face, or no confident one, is also searched rotated by 90, 180 and 270
            degrees; a doubtful face is replaced only by a confident one.
        confident_score: score from which a face counts as confident. Faces on their side may be found without
            rotation, with completely wrong landmarks, but rarely with such a score. It differs between detectors.
    """

    detector: str = "mtcnn"
    min_face: float = 20
    factor: float = 0.85
    thresholds: tuple[float, ...] = (0.6, 0.7, 0.9)
    max_pixels: int = 16_000_000
    border: bool = True
    lenient: float | None = 0.7
    turns: bool = False
    confident_score: float = 0.99

    def __post_init__(self) -> None:
        kind = DETECTORS[self.detector]
        if not self.min_face >= kind.smallest_face:
            raise FacepipeError(
                f"the minimum face {self.min_face} is below the {kind.smallest_face} pixels that {self.detector} "
                "needs; raise it"
            )
        if not 0.1 <= self.factor <= 0.95:
            raise FacepipeError(f"the pyramid factor {self.factor} must be between 0.1 and 0.95")
        if len(self.thresholds) != kind.stages or not all(0 <= value < 1 for value in self.thresholds):
            values = ", ".join(map(str, self.thresholds))
            raise FacepipeError(
                f"thresholds {values}: {self.detector} takes {kind.stages}, each at least 0 and less than 1"
            )
        if self.lenient is not None and not 0 <= self.lenient < 1:
            raise FacepipeError(f"the lenient threshold {self.lenient} must be at least 0 and less than 1")
        if not 0 <= self.confident_score <= 1:
            raise FacepipeError(f"the score {self.confident_score} of a confident face must be between 0 and 1")
        if not self.max_pixels >= 1:
            raise FacepipeError(f"the limit of {self.max_pixels} pixels must be at least 1")

    def with_least_score(self, score: float) -> "DetectorSettings":
        """The same settings with another final threshold, which a face's score must exceed in every search."""
        return replace(self, thresholds=(*self.thresholds[:-1], score), lenient=None)

    def for_last_search(self) -> "DetectorSettings | None":
        """The settings of the lenient search; None if there is none, or if it would not be more lenient."""
        if not self.border or self.lenient is None or self.lenient >= self.thresholds[-1]:
            return None
        return self.with_least_score(self.lenient)

    def to_dict(self) -> dict[str, Any]:
        """All settings as plain JSON values."""
        return asdict(self) | {"thresholds": list(self.thresholds)}


def with_present_names(recorded: dict[str, Any]) -> dict[str, Any]:
    """Recorded settings, with those that an earlier version wrote under a former name under the present one."""
    return {_FORMER_NAMES.get(name, name): value for name, value in recorded.items()}


def preset(name: str = "sphereface", **changes: Any) -> DetectorSettings:
    """The settings with this name, with the given fields changed if their value is not None.

    Raises:
        FacepipeError: unknown preset or a value out of range.
    """
    return replace(PRESETS[name].settings, **{field: value for field, value in changes.items() if value is not None})
