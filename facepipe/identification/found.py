"""The faces of a folder that are nearest to those of a photo."""

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
        face: which of its faces, best first, from 1.
        score: cosine to the face that was asked about.
        verdict: see `Judge`; None where no threshold is known.
    """

    path: Path
    face: int
    score: float
    verdict: str | None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return vars(self) | {"path": str(self.path)}


def nearest_faces(
    asked: Embeddings, stored: FolderFaces, folder: Path, judge: Judge, top: int = 10, device: str = "cpu"
) -> list[tuple[FoundPhoto, ...]]:
    """The ``top`` faces nearest to each face that is asked about, best first.

    Args:
        asked: embedded by the model of the folder's faces.
        stored: the folder's faces.
        folder: where they are.
        judge: gives the verdicts.
        top: how many; all where there are fewer.
        device: see `top_k`.
    """
    hits = top_k(asked.mu, stored.faces.mu, top, device)
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
