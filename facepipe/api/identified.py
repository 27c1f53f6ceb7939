"""Faces named from a gallery."""

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from facepipe.api.face import Face
from facepipe.embedding import Embedder
from facepipe.identification import Gallery, Identifier, Identity, decide, load_gallery


@dataclass(frozen=True, eq=False)
class IdentifiedFace:
    """A face and the person it belongs to.

    Attributes:
        face: the face, with its embedding.
        name: name of the person, or ``unknown``.
        score: the best score in the gallery.
        nearest: the person with that score, whether or not it reaches the threshold.
        threshold: lowest score at which a face is named.
    """

    face: Face
    name: str
    score: float
    nearest: str
    threshold: float

    @property
    def known(self) -> bool:
        """Whether the face has a name."""
        return Identity(self.name, self.score, self.nearest, None, None).known

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        values = {"name": self.name, "score": self.score, "nearest": self.nearest, "threshold": self.threshold}
        return values | {"face": self.face.to_dict()}


def open_gallery(gallery: str | Path | Gallery) -> Gallery:
    """The gallery itself, or the one in a file, which is reread only if it has changed."""
    if isinstance(gallery, Gallery):
        return gallery
    path = Path(gallery)
    changed = path.stat().st_mtime_ns if path.is_file() else 0
    return _read(path, changed)


@lru_cache(maxsize=4)
def _read(path: Path, _: int) -> Gallery:
    return load_gallery(path)


def identify_faces(
    faces: tuple[Face, ...], gallery: Gallery, embedder: Embedder, fpir: float
) -> tuple[IdentifiedFace, ...]:
    """Embed the faces' crops and search a gallery for them; results from left to right.

    Raises:
        EmbeddingsError: the gallery is empty, or was made by another model.
        ModelError: the model's card has no threshold for the rate.
    """
    decision = decide(embedder.model.card, fpir, len(gallery.names), "cosine", embedder.flip)
    identifier = Identifier(gallery, decision)
    crops = [face.crop for face in faces if face.crop is not None]
    if not crops:
        return ()
    scores = np.array([face.score for face in faces], np.float32)
    embeddings = replace(embedder(np.stack(crops)), detection_score=scores)
    found = [
        IdentifiedFace(
            face.with_embedding(embeddings, row), identity.name, identity.score, identity.nearest, decision.threshold
        )
        for row, (face, identity) in enumerate(zip(faces, identifier(embeddings), strict=True))
    ]
    return tuple(sorted(found, key=lambda one: 0.0 if one.face.box is None else float(one.face.box[0])))
