"""How the faces were found whose crops were embedded, as embeddings record it.

A record is a dictionary of JSON values: the detector's settings (`facepipe.detection.DetectorSettings.to_dict`) and
``faces``, the rule that chose among several. Of crops that were aligned already the record is the one in the manifest
beside them; where there is none, ``detector`` says just that.
"""

from collections.abc import Iterable
from typing import Any

from facepipe.parameters import parameter

Finding = dict[str, Any]
_ALIGNED_BEFORE = "already aligned"
ALIGNED: Finding = {"detector": _ALIGNED_BEFORE}
"""The record of crops that were taken as they came and of which nothing tells how they were found."""


def joined_findings(several: Iterable[tuple[Finding, ...]]) -> tuple[Finding, ...]:
    """The records of rows that are put together, each once, in order; those that have none add nothing."""
    joined: list[Finding] = []
    for finding in (finding for findings in several for finding in findings):
        if finding not in joined:
            joined.append(finding)
    return tuple(joined)


def mixed_detectors(*several: Iterable[Finding]) -> str:
    """A remark on rows of different detectors that are compared with each other; empty where there are none.

    Other settings of one detector decide which faces are found, and hardly where their landmarks lie: they are not
    remarked. Rows of which no detector is known are passed over.
    """
    named = {finding.get("detector") for findings in several for finding in findings}
    # None stood for crops that were aligned already in files of before.
    kinds = {str(name) for name in named if name not in (None, _ALIGNED_BEFORE)}
    if len(kinds) < 2:
        return ""
    return (
        f"faces found by {' and '.join(sorted(kinds))} are mixed: their landmarks differ, and with them crops and "
        f"scores; find all with one {parameter('detector')}"
    )


def is_finding(value: object) -> bool:
    """Whether a value out of a file has the form of a record."""
    return isinstance(value, dict) and isinstance(value.get("detector", 0), str | None)
