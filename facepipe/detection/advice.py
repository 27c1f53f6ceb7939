"""Suggestions if no face was found, none of which could turn a photo without a face into a confident answer."""

from facepipe.detection.detectors import DETECTORS
from facepipe.detection.settings import DetectorSettings
from facepipe.parameters import parameter

_SPOILT = ("damaged inside", "almost black", "almost white")
"""Beginnings of remarks on a picture that explain why no search will find a face in it."""


def no_face_advice(
    settings: DetectorSettings, size: tuple[int, int], crop_size: tuple[int, int], remarks: tuple[str, ...] = ()
) -> str:
    """The end of a message, such as ``; try turns=True for a photo on its side``; empty if nothing is left to try.

    Args:
        settings: those of the search.
        size: (height, width) of the photo in pixels.
        crop_size: (height, width) of the model's crops. Only a photo of exactly this size may be a crop: any other,
            treated as one, gives a meaningless answer.
        remarks: remarks on the picture; if they explain the failure, nothing else is suggested.
    """
    spoilt = [remark for remark in remarks if remark.startswith(_SPOILT)]
    if spoilt:
        return f"; the picture is {'; '.join(spoilt)}"
    tries = []
    if not settings.turns:
        tries.append(f"{parameter('turns', True)} for a photo on its side")
    smallest = DETECTORS[settings.detector].smallest_face
    if settings.min_face > smallest:
        tries.append(f"{parameter('min_face', smallest)} for faces of fewer than {settings.min_face:g} pixels")
    if size == crop_size:
        tries.append(f"{parameter('already_aligned', True)} if this is an aligned crop")
    return f"; try {', or '.join(tries)}" if tries else ""
