"""Open-set identification: finding the people of a gallery in photos and videos."""

from facepipe.identification.confidence import confidence, confidence_kind
from facepipe.identification.decision import Decision, decide, decision_at
from facepipe.identification.enrol import enrol, find_lookalikes
from facepipe.identification.gallery import UNKNOWN, Gallery, Remark, merge, person_of, stored_name, without
from facepipe.identification.gallery_file import change_gallery, load_gallery, save_gallery
from facepipe.identification.identifier import Identifier, Identity
from facepipe.identification.strangers import measure
from facepipe.identification.update import update_gallery

__all__ = [
    "UNKNOWN",
    "Decision",
    "Gallery",
    "Identifier",
    "Identity",
    "Remark",
    "change_gallery",
    "confidence",
    "confidence_kind",
    "decide",
    "decision_at",
    "enrol",
    "find_lookalikes",
    "load_gallery",
    "measure",
    "merge",
    "person_of",
    "save_gallery",
    "stored_name",
    "update_gallery",
    "without",
]
