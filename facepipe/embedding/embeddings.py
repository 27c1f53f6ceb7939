"""Embeddings as a value."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from facepipe.embedding.finding import Finding, joined_findings
from facepipe.embedding.identity import remedy, same_model
from facepipe.embedding.making import Making
from facepipe.embedding.precision import joined_record
from facepipe.errors import EmbeddingsError

OPTIONAL = ("kappa", "sigma2", "detection_score")
"""Fields that are there for all rows or for none."""


@dataclass(frozen=True)
class Embeddings:
    """Embeddings of N faces by one model.

    Attributes:
        mu: float32 N×D, as the network gives them, flip-fused, not normalised: the direction says who it is,
            and the norm is kept since it says something of the image's quality.
        model: identity of the model, ``name@`` the first twelve hex digits of its weights' SHA-256 ``/`` how its
            crops are cut; without a cut in files of before there were several.
        flip: how image and mirror image were joined: ``none``, ``sum`` or ``concat``; of an ensemble see
            `facepipe.ensemble`.
        paths: one per row, or empty when the crops came from memory.
        detected: bool N, False where no face was found and the centre of the image stood in.
        failed: paths that gave no embedding, each with its reason.
        kappa: float32 N, concentration of the von Mises-Fisher distribution of a face's identity (SCF), larger
            is surer; None when the model has no kappa head.
        sigma2: float32 N×K, variance of the unit-length mean, smaller is surer; K is 1 (ProbFace) or the
            number of dimensions in which the head was trained (PFE). None when the model has no sigma head.
        trained_dim: d, the dimension in which the uncertainty head was trained; 0 when the model has none. Flip
            concatenation makes ``mu`` twice as long, but not d.
        detection_score: float32 N, the detector's face probability; NaN where there was no detection. None
            when nobody looked.
        precision: number format that the network ran in, ``float32`` or ``bfloat16``; several, joined by ``+``, where
            embeddings of both were put together; empty where it is not known.
        engine: what ran the network, ``torch`` or ``onnx``; joined by ``+``, and empty, as ``precision``.
        findings: how the faces were found, see `facepipe.embedding.finding`; several where embeddings of several
            ways were put together; empty where it is not known.
        roots: files and folders that were embedded, below which the paths lie; empty where it is not known.
    """

    mu: np.ndarray
    model: str
    flip: str = "none"
    paths: tuple[str, ...] = ()
    detected: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    failed: tuple[tuple[str, str], ...] = ()
    kappa: np.ndarray | None = None
    sigma2: np.ndarray | None = None
    trained_dim: int = 0
    detection_score: np.ndarray | None = None
    precision: str = ""
    engine: str = ""
    findings: tuple[Finding, ...] = ()
    roots: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.mu.ndim != 2:
            raise EmbeddingsError(f"embeddings must be N×D, not {self.mu.shape}")
        if self.paths and len(self.paths) != len(self.mu):
            raise EmbeddingsError(f"{len(self.paths)} paths for {len(self.mu)} embeddings")
        if len(self.detected) != len(self.mu):
            object.__setattr__(self, "detected", np.ones(len(self.mu), bool))
        for name, value in _optional(self).items():
            columns = 2 if name == "sigma2" else 1
            if value.ndim != columns or len(value) != len(self.mu) or 0 in value.shape[1:]:
                form = "N×K" if name == "sigma2" else "N"
                raise EmbeddingsError(f"{name} of shape {value.shape} for {len(self.mu)} embeddings: it must be {form}")

    def __len__(self) -> int:
        return len(self.mu)

    @property
    def dim(self) -> int:
        """Length of an embedding."""
        return int(self.mu.shape[1])

    @property
    def making(self) -> Making:
        """How they were made, beside model and flip rule."""
        return Making(self.precision, self.findings)

    def record(self) -> dict[str, Any]:
        """``engine``, ``precision`` and ``findings`` as JSON output states them; None where it is not known."""
        return {
            "engine": self.engine or None,
            "precision": self.precision or None,
            "findings": list(self.findings) or None,
        }

    def with_paths(self, paths: Sequence[str]) -> "Embeddings":
        """The same embeddings under these paths."""
        return replace(self, paths=tuple(paths))

    def row_of(self) -> dict[str, int]:
        """Path to row."""
        return {path: row for row, path in enumerate(self.paths)}

    def take(self, rows: np.ndarray | Sequence[int]) -> "Embeddings":
        """The rows ``rows`` (integers, or a boolean mask of length N), in that order, with nothing ``failed``."""
        index = np.arange(len(self))[np.asarray(rows, None if len(rows) else np.intp)]
        return replace(
            self,
            mu=self.mu[index],
            paths=tuple(self.paths[row] for row in index) if self.paths else (),
            detected=self.detected[index],
            failed=(),
            **{name: value[index] for name, value in _optional(self).items()},
        )


def _optional(embeddings: Embeddings) -> dict[str, Any]:
    """The optional fields that are there."""
    values = {name: getattr(embeddings, name) for name in OPTIONAL}
    return {name: value for name, value in values.items() if value is not None}


def require_same_model(*several: Embeddings) -> None:
    """Refuse to mix features of different models, cuts or flip rules.

    Raises:
        EmbeddingsError: they differ; names both.
    """
    first = several[0]
    for other in several[1:]:
        alike = (first.flip, first.dim) == (other.flip, other.dim)
        if not (alike and same_model(first.model, other.model)):
            raise EmbeddingsError(
                f"embeddings of {first.model} (flip {first.flip}, {first.dim}-d) cannot be compared with those of "
                f"{other.model} (flip {other.flip}, {other.dim}-d); {remedy(first.model, other.model)}"
            )


def require_same_fields(*several: Embeddings) -> None:
    """Refuse to put rows under each other of which some have a field, such as kappa, and others lack it.

    Raises:
        EmbeddingsError: optional fields, their widths or the trained dimensions differ.
    """
    first = _fields(several[0])
    for other in map(_fields, several[1:]):
        if first != other:
            raise EmbeddingsError(
                f"embeddings of {several[0].model} with {_named(first)} cannot be joined with others that have "
                f"{_named(other)}; embed all images again"
            )


def _fields(embeddings: Embeddings) -> dict[str, int]:
    widths = {name: int(np.prod(value.shape[1:])) for name, value in _optional(embeddings).items()}
    return widths | ({"trained_dim": embeddings.trained_dim} if embeddings.trained_dim else {})


def _named(fields: dict[str, int]) -> str:
    plain = ("kappa", "detection_score")
    return ", ".join(name if name in plain else f"{name} {number}" for name, number in fields.items()) or "mu alone"


def join(several: Sequence[Embeddings]) -> Embeddings:
    """One `Embeddings` of several, in order.

    Raises:
        EmbeddingsError: nothing to join, the models differ, or some lack a field that others have.
    """
    if not several:
        raise EmbeddingsError("no embeddings: none of the images could be read")
    require_same_model(*several)
    require_same_fields(*several)
    joined: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in several]) for name in _optional(several[0])
    }
    return replace(
        several[0],
        model=max((part.model for part in several), key=len),  # the stamp that names the cut, where only some do
        precision=joined_record(part.precision for part in several),
        engine=joined_record(part.engine for part in several),
        findings=joined_findings(part.findings for part in several),
        mu=np.concatenate([part.mu for part in several]),
        paths=tuple(path for part in several for path in part.paths),
        roots=tuple(dict.fromkeys(root for part in several for root in part.roots)),
        detected=np.concatenate([part.detected for part in several]),
        failed=tuple(entry for part in several for entry in part.failed),
        **joined,
    )
