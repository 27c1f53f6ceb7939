"""Embeddings of images whose landmarks a list has: `Source` without a detector."""

from dataclasses import replace
from typing import TYPE_CHECKING

from facepipe.evaluation.source import Source

if TYPE_CHECKING:
    from facepipe.datasets.templates.ijb import IjbFaces


def landmark_source(source: Source, faces: "IjbFaces") -> Source:
    """The source, aligning by the landmarks of ``faces``; one of embeddings or of aligned crops as it is."""
    from facepipe.protocols.landmark_crops import LandmarkCropper, ListedFaces

    if source.has_embeddings or source.already_aligned:
        return source
    listed = ListedFaces(faces.names, faces.landmarks, faces.detector_score)
    # Without a detector, as for crops that are aligned; the cropper that aligns takes its place.
    return replace(source, already_aligned=True, wrap=lambda cropper: LandmarkCropper(cropper.aligner, listed))
