"""Embeddings as a value."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from facepipe.embedding.finding import Finding, joined_findings
from facepipe.embedding.identity import remedy, same_model
from facepipe.embedding.provenance import Provenance, joined_record
from facepipe.errors import EmbeddingsError

OPTIONAL = ("kappa", "sigma2", "detection_score")
"""Fields that all rows have or none has."""


@dataclass(frozen=True)
class Embeddings:
    """Embeddings of N faces by one model.

    Attributes:
        mu: float32 N×D, as output by the network, flip-fused, not normalised: the direction encodes identity, and the
            norm is kept since it reflects image quality.
        model: identity of the model, ``name@`` the first twelve hex digits of its weights' SHA-256 ``/`` the crop
            geometry, which older files lack.
        flip: how image and mirror image were combined: ``none``, ``sum`` or ``concat``; for ensembles see
            `facepipe.ensemble`.
        paths: one per row, or empty if the crops came from memory.
        detected: bool N, False if no face was found and the centre of the image was used.
        failed: paths without an embedding, each with the reason.
        kappa: float32 N, concentration of the von Mises-Fisher distribution of a face's identity (SCF), larger
            means more confident; None if the model has no kappa head.
        sigma2: float32 N×K, variance of the unit-length mean, smaller means more confident; K is 1 (ProbFace) or the
            number of dimensions the head was trained in (PFE). None if the model has no sigma head.
        trained_dim: d, the dimension the uncertainty head was trained in; 0 if the model has none. Flip
            concatenation doubles the length of ``mu``, but not d.
        detection_score: float32 N, the detector's face probability; NaN if nothing was detected. None
            without detection.
        precision: number format of the network, ``float32`` or ``bfloat16``; joined by ``+`` if embeddings in both
            were joined; empty if unknown.
        engine: what ran the network, ``torch`` or ``onnx``; joined by ``+`` or empty like ``precision``.
        findings: how the faces were found, see `facepipe.embedding.finding`; several if embeddings with different
            findings were joined; empty if unknown.
        roots: embedded files and folders, which contain the paths; empty if unknown.
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
                raise EmbeddingsError(f"{name} of shape {value.shape} for {len(self.mu)} embeddings; it must be {form}")

    def __len__(self) -> int:
        return len(self.mu)

    @property
    def dim(self) -> int:
        """Length of an embedding."""
        return int(self.mu.shape[1])

    @property
    def provenance(self) -> Provenance:
        """How they were made, apart from model and flip rule."""
        return Provenance(self.precision, self.findings)

    def record(self) -> dict[str, Any]:
        """``engine``, ``precision`` and ``findings`` for JSON output; None if unknown."""
        return {
            "engine": self.engine or None,
            "precision": self.precision or None,
            "findings": list(self.findings) or None,
        }

    def with_paths(self, paths: Sequence[str]) -> "Embeddings":
        """A copy with these paths."""
        return replace(self, paths=tuple(paths))

    def row_of(self) -> dict[str, int]:
        """Path → row."""
        return {path: row for row, path in enumerate(self.paths)}

    def take(self, rows: np.ndarray | Sequence[int]) -> "Embeddings":
        """The rows ``rows`` (integers, or a boolean mask of length N), in that order, with an empty ``failed``."""
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
    """The optional fields that are present."""
    values = {name: getattr(embeddings, name) for name in OPTIONAL}
    return {name: value for name, value in values.items() if value is not None}


def require_same_model(*several: Embeddings) -> None:
    """Raise an error for features of different models, crop geometries or flip rules.

    Raises:
        EmbeddingsError: they differ; the message names both.
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
    """Raise an error if some embeddings have a field, such as kappa, that others lack.

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
    """Concatenate embeddings, in order.

    Raises:
        EmbeddingsError: there is nothing to join, the models differ, or some lack a field that others have.
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
        model=max((part.model for part in several), key=len),  # with the crop geometry, if only some have it
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
