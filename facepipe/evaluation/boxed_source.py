"""Embeddings of faces that a list has as boxes in images: `Source` over the part of the image around each box."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from facepipe.evaluation.source import Source

if TYPE_CHECKING:
    import numpy as np

    from facepipe.datasets.templates.ijba import TemplateFaces
    from facepipe.pipeline import Read


def boxed_source(source: Source, lists: Iterable["TemplateFaces"]) -> Source:
    """The source, looking for each face around its box; one of embeddings or of aligned crops as it is."""
    if source.has_embeddings or source.already_aligned:
        return source
    boxes: dict[str, tuple[str, np.ndarray]] = {}
    for faces in lists:
        boxes |= {name: (file, box) for name, file, box in zip(faces.names, faces.files, faces.boxes, strict=True)}

    def regions(root: Path) -> "Read":
        from facepipe.datasets.templates.ijba_images import read_region

        return lambda name, max_pixels: read_region(root, *boxes[name.as_posix()], max_pixels)

    return replace(source, regions=regions)
