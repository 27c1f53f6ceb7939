"""Records of how embedded faces were found.

A record is a dictionary of JSON values: the detector's settings (`facepipe.detection.DetectorSettings.to_dict`) and
``faces``, the rule for choosing among several. For crops that were already aligned, it is the record in their manifest;
without a manifest, ``detector`` is ``already aligned``.
"""

from collections.abc import Iterable
from typing import Any

from facepipe.parameters import parameter

Finding = dict[str, Any]
_ALIGNED_BEFORE = "already aligned"
ALIGNED: Finding = {"detector": _ALIGNED_BEFORE}
"""The record of aligned crops without a manifest."""


def joined_findings(several: Iterable[tuple[Finding, ...]]) -> tuple[Finding, ...]:
    """The records of joined rows, in order without duplicates."""
    joined: list[Finding] = []
    for finding in (finding for findings in several for finding in findings):
        if finding not in joined:
            joined.append(finding)
    return tuple(joined)


def mixed_detectors(*several: Iterable[Finding]) -> str:
    """A remark on comparing rows of different detectors; empty if there is nothing to remark.

    Different settings of one detector change which faces are found, but hardly their landmarks, so they cause no
    remark. Rows with an unknown detector are ignored.
    """
    named = {finding.get("detector") for findings in several for finding in findings}
    # Older files have None for already aligned crops.
    kinds = {str(name) for name in named if name not in (None, _ALIGNED_BEFORE)}
    if len(kinds) < 2:
        return ""
    return (
        f"faces found by {' and '.join(sorted(kinds))} are mixed: their landmarks differ, and with them crops and "
        f"scores; detect all with one {parameter('detector')}"
    )


def is_finding(value: object) -> bool:
    """Whether a value from a file has the form of a record."""
    return isinstance(value, dict) and isinstance(value.get("detector", 0), str | None)
