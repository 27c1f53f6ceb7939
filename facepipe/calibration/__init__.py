"""What a model's scores mean: thresholds, probabilities and usual confidences, measured on people it does not know."""

from facepipe.calibration.calibrate import CALIBRATED_FARS, Calibration, calibrate_faces, calibrate_pairs
from facepipe.calibration.card import calibrated_card
from facepipe.calibration.faces import KnownFaces, known_faces
from facepipe.calibration.groups import GROUP, alike_pairs, group_of
from facepipe.calibration.thresholds import ScoredSet, alike_thresholds, random_thresholds

__all__ = [
    "CALIBRATED_FARS",
    "GROUP",
    "Calibration",
    "KnownFaces",
    "ScoredSet",
    "alike_pairs",
    "alike_thresholds",
    "calibrate_faces",
    "calibrate_pairs",
    "calibrated_card",
    "group_of",
    "known_faces",
    "random_thresholds",
]
