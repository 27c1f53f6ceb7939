"""Embeddings of images whose landmarks a list has: `Source` without a detector."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from facepipe.cli import options
from facepipe.cli.eval_source import Source

if TYPE_CHECKING:
    from facepipe.datasets.ijb import IjbFaces
    from facepipe.embed import Embedder
    from facepipe.pipeline import Cropper


def landmark_source(source: Source, faces: "IjbFaces") -> Source:
    """The source, aligning by the landmarks of ``faces``; one of embeddings or of aligned crops as it is."""
    if source.has_embeddings or source.already_aligned:
        return source
    return _LandmarkSource(**{field.name: getattr(source, field.name) for field in fields(Source)}, faces=faces)


@dataclass(frozen=True)
class _LandmarkSource(Source):
    faces: "IjbFaces"

    def _members(self, models: Sequence[str]) -> list[tuple["Cropper", "Embedder"]]:
        from facepipe.align import Aligner
        from facepipe.protocols.landmark_crops import LandmarkCropper, ListedFaces

        listed = ListedFaces(self.faces.names, self.faces.landmarks, self.faces.detector_score)
        members: list[tuple[Cropper, Embedder]] = []
        named: Sequence[str | None] = models or [None]
        for model in named:
            embedder = options.make_embedder(model, self.flip, self.precision, self.device)
            members.append((LandmarkCropper(Aligner(embedder.model.card.input.template), listed), embedder))
        return members
