"""Calibrating a model's scores: thresholds, probabilities and typical confidences, measured on held-out people."""

from facepipe.calibration.calibrate import (
    CALIBRATED_FARS,
    Calibration,
    calibrate_faces,
    calibrate_pairs,
    calibrated_card,
)
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
