"""How embeddings were made, apart from model and flip rule: number format, engine, and how faces were found."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

from facepipe.embedding.finding import Finding, mixed_detectors
from facepipe.parameters import parameter

UNRECORDED = "unknown"
"""Value for older files without a record when joined with others."""


def joined_record(several: Iterable[str]) -> str:
    """The record of joined rows; empty if no part has one."""
    kinds = {kind for one in several for kind in (one or UNRECORDED).split("+")}
    return "" if kinds == {UNRECORDED} else "+".join(sorted(kinds))


def mixed_precision(*several: str) -> str:
    """A remark on comparing rows in different number formats; empty if there is nothing to remark.

    Rows without a record are ignored.
    """
    kinds = {kind for one in several for kind in one.split("+")} - {"", UNRECORDED}
    if len(kinds) < 2:
        return ""
    return (
        f"embeddings in {' and '.join(sorted(kinds))} are mixed: scores differ in the third digit; "
        f"embed all with one {parameter('precision')}"
    )


@dataclass(frozen=True)
class Provenance:
    """How embeddings were made.

    Attributes:
        precision, findings: as in `facepipe.embedding.Embeddings`.
    """

    precision: str = ""
    findings: tuple[Finding, ...] = ()

    @classmethod
    def recorded(cls, settings: dict[str, Any]) -> Self:
        """From the settings of a result."""
        return cls(settings.get("precision") or "", tuple(settings.get("findings") or ()))


def mixing_remark(*several: Provenance) -> str:
    """A remark if joined or compared rows have different precisions or detectors; otherwise empty.

    A single one may itself be mixed.
    """
    message = mixed_precision(*(one.precision for one in several)), mixed_detectors(*(one.findings for one in several))
    return ". ".join(filter(None, message))
