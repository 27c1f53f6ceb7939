"""A face in a photo, as returned by the Python API."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from facepipe.embedding import Embeddings
from facepipe.pipeline import CroppedImage


@dataclass(frozen=True, eq=False)
class Face:
    """One face.

    Coordinates are 0-based pixels of the photo as displayed, x right, y down, pixel centres at integers.

    Attributes:
        box: float32 4, (left, top, right, bottom); may reach beyond the photo. None for an aligned crop.
        landmarks: float32 5×2, (x, y) of left eye, right eye, nose tip, left and right mouth corner, left and right
            as the viewer sees them. None for an aligned crop.
        score: detection score, 0 to 1; nan for an aligned crop.
        crop: uint8 h×w×3 RGB, aligned for the model; None after detection only.
        embedding: float32 D, output of the network, not normalised; None if not computed.
        kappa: concentration of the von Mises-Fisher distribution (SCF); None if the model has no such head.
        sigma2: float32 K, variance of the embedding (PFE, ProbFace); None if the model has no such head.
    """

    box: np.ndarray | None
    landmarks: np.ndarray | None
    score: float
    crop: np.ndarray | None = None
    embedding: np.ndarray | None = None
    kappa: float | None = None
    sigma2: np.ndarray | None = None

    def __repr__(self) -> str:
        """The box to a tenth of a pixel, and the sizes of arrays."""
        parts = ["aligned crop"] if self.box is None else [f"box=({', '.join(f'{side:.1f}' for side in self.box)})"]
        parts += [] if self.box is None else [f"score={self.score:.4f}"]
        parts += [] if self.crop is None else [f"crop={self.crop.shape[1]}×{self.crop.shape[0]}"]
        parts += [] if self.embedding is None else [f"embedding of {len(self.embedding)}"]
        parts += [] if self.kappa is None else [f"kappa={self.kappa:.4g}"]
        parts += [] if self.sigma2 is None else [f"sigma2 of {len(self.sigma2)}"]
        return f"Face({', '.join(parts)})"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, without the crop."""
        values: dict[str, Any] = {
            "box": _plain(self.box),
            "landmarks": _plain(self.landmarks),
            "score": self.score if self.score == self.score else None,
            "embedding": _plain(self.embedding),
            "kappa": self.kappa,
            "sigma2": _plain(self.sigma2),
        }
        return {name: value for name, value in values.items() if value is not None}

    def with_embedding(self, embeddings: Embeddings, row: int) -> "Face":
        """A copy of the face with the embedding of a row."""
        kappa = None if embeddings.kappa is None else float(embeddings.kappa[row])
        sigma2 = None if embeddings.sigma2 is None else embeddings.sigma2[row]
        return replace(self, embedding=embeddings.mu[row], kappa=kappa, sigma2=sigma2)


@dataclass(frozen=True, eq=False)
class PhotoFaces:
    """The faces of one of many photos.

    Attributes:
        photo: its path, or a placeholder.
        faces: the chosen ones; if all, best first.
        remarks: notes for the user on the photo, such as damaged data.
        error: why the photo could not be read, in one line; empty if it could.
    """

    photo: str
    faces: tuple[Face, ...] = ()
    remarks: tuple[str, ...] = ()
    error: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        values = {"photo": self.photo, "faces": [face.to_dict() for face in self.faces]}
        return values | {"remarks": list(self.remarks), "error": self.error}


def faces_of(result: CroppedImage) -> tuple[Face, ...]:
    """The chosen faces of a photo with their crops; for an aligned crop, its one face."""
    if not len(result.chosen):
        return tuple(Face(None, None, float("nan"), crop) for crop in result.crops)
    found = result.faces
    return tuple(
        Face(found.boxes[index], found.landmarks[index], float(found.scores[index]), crop)
        for index, crop in zip(result.chosen, result.crops, strict=True)
    )


def _plain(values: np.ndarray | None) -> list[Any] | None:
    return None if values is None else values.tolist()
