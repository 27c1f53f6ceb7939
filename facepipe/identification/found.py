"""Finding the faces in a folder that are nearest to the faces of a photo."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facepipe.embedding import Embeddings
from facepipe.identification.folder_faces import FolderFaces, photo_of
from facepipe.identification.hits import Judge
from facepipe.score.search import top_k


@dataclass(frozen=True)
class FoundPhoto:
    """A face in a folder.

    Attributes:
        path: the photo.
        face: number of the face in it, from 1, best first.
        score: cosine to the query face.
        verdict: see `Judge`; None if no threshold is known.
    """

    path: Path
    face: int
    score: float
    verdict: str | None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return vars(self) | {"path": str(self.path)}


def nearest_faces(
    query: Embeddings, stored: FolderFaces, folder: Path, judge: Judge, top: int = 10, device: str = "cpu"
) -> list[tuple[FoundPhoto, ...]]:
    """The ``top`` faces nearest to each query face, best first.

    Args:
        query: faces embedded by the model of the folder's faces.
        stored: the folder's faces.
        folder: the folder.
        judge: determines the verdicts.
        top: number of faces; all if there are fewer.
        device: see `top_k`.
    """
    hits = top_k(query.mu, stored.faces.mu, top, device)
    found = []
    for rows, scores in zip(hits.rows.tolist(), hits.scores.tolist(), strict=True):
        places = [photo_of(stored.faces.paths[row]) for row in rows]
        found.append(
            tuple(
                FoundPhoto(folder / name, face, score, judge(score))
                for (name, face), score in zip(places, scores, strict=True)
            )
        )
    return found
