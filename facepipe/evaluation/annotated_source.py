"""Sources for faces that a list annotates by bounding box or by landmarks."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from facepipe.evaluation.source import Source

if TYPE_CHECKING:
    import numpy as np

    from facepipe.datasets.templates.ijb import IjbFaces
    from facepipe.datasets.templates.ijba import TemplateFaces
    from facepipe.pipeline import Read


def boxed_source(source: Source, lists: Iterable["TemplateFaces"]) -> Source:
    """The source, detecting each face around its box; a source of embeddings or aligned crops is unchanged."""
    if source.has_embeddings or source.already_aligned:
        return source
    boxes: dict[str, tuple[str, np.ndarray]] = {}
    for faces in lists:
        boxes |= {name: (file, box) for name, file, box in zip(faces.names, faces.files, faces.boxes, strict=True)}

    def regions(root: Path) -> "Read":
        from facepipe.datasets.templates.ijba_images import read_region

        return lambda name, max_pixels: read_region(root, *boxes[name.as_posix()], max_pixels)

    return replace(source, regions=regions)


def landmark_source(source: Source, faces: "IjbFaces") -> Source:
    """The source, aligning by the landmarks of ``faces``; a source of embeddings or aligned crops is unchanged."""
    from facepipe.protocols.landmark_crops import LandmarkCropper, ListedFaces

    if source.has_embeddings or source.already_aligned:
        return source
    listed = ListedFaces(faces.names, faces.landmarks, faces.detector_score)
    # No detector, as for aligned crops; the wrapped cropper aligns instead.
    return replace(source, already_aligned=True, wrap=lambda cropper: LandmarkCropper(cropper.aligner, listed))
