"""Open-set identification: a gallery of known people, and who of them is in photos and videos."""

from facepipe.identify.confidence import confidence, confidence_kind
from facepipe.identify.decide import Decision, decide, given
from facepipe.identify.enrol import Remark, alike, enrol
from facepipe.identify.gallery import UNKNOWN, Gallery, merge, person_of, without
from facepipe.identify.gallery_file import load_gallery, save_gallery
from facepipe.identify.identifier import Identifier, Identity
from facepipe.identify.strangers import measure

__all__ = [
    "UNKNOWN",
    "Decision",
    "Gallery",
    "Identifier",
    "Identity",
    "Remark",
    "alike",
    "confidence",
    "confidence_kind",
    "decide",
    "enrol",
    "given",
    "load_gallery",
    "measure",
    "merge",
    "person_of",
    "save_gallery",
    "without",
]
