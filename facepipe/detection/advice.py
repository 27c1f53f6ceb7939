"""What may help where no face was found: nothing that would turn a photo without a face into a confident answer."""

from facepipe.detection.detectors import DETECTORS
from facepipe.detection.settings import DetectorSettings
from facepipe.parameters import parameter

_SPOILT = ("damaged inside", "almost black", "almost white")
"""How remarks on a picture begin that say why no search will find a face in it."""


def no_face_advice(
    settings: DetectorSettings, size: tuple[int, int], crop_size: tuple[int, int], remarks: tuple[str, ...] = ()
) -> str:
    """The end of a message, such as ``; try turns=True for a photo on its side``; empty where nothing is left to try.

    Args:
        settings: of the search.
        size: (height, width) of the photo in pixels.
        crop_size: of the model's crops. Only a photo of this very size may be one: any other, taken for a crop, gives
            an answer that means nothing.
        remarks: on the picture; where they say what is wrong with it, they are all that is said.
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
