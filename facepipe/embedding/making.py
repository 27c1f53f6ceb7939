"""How embeddings were made, beside their model and flip rule, and what to say where that differs."""

from dataclasses import dataclass
from typing import Any, Self

from facepipe.embedding.finding import Finding, mixed_detectors
from facepipe.embedding.precision import mixed_precision


@dataclass(frozen=True)
class Making:
    """How rows were made.

    Attributes:
        precision, findings: as of `facepipe.embedding.Embeddings`.
    """

    precision: str = ""
    findings: tuple[Finding, ...] = ()

    @classmethod
    def recorded(cls, settings: dict[str, Any]) -> Self:
        """That of the embeddings behind a result, out of its settings."""
        return cls(settings.get("precision") or "", tuple(settings.get("findings") or ()))


def mixed(*several: Making) -> str:
    """A remark where rows that are put together or compared are of different precision or detectors; empty where not.

    A single one may be mixed in itself.
    """
    message = mixed_precision(*(one.precision for one in several)), mixed_detectors(*(one.findings for one in several))
    return ". ".join(filter(None, message))
