"""How the faces were found whose crops were embedded, as embeddings record it.

A record is a dictionary of JSON values: the detector's settings (`facepipe.detection.DetectorSettings.to_dict`) and
``faces``, the rule that chose among several. ``detector`` is None in the record of crops that were aligned already.
"""

from collections.abc import Iterable
from typing import Any

Finding = dict[str, Any]
ALIGNED: Finding = {"detector": None}
"""The record of crops that were taken as they came."""


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
    kinds = {str(finding["detector"]) for findings in several for finding in findings if finding.get("detector")}
    if len(kinds) < 2:
        return ""
    return (
        f"faces found by {' and '.join(sorted(kinds))} are mixed: their landmarks differ, and with them crops and "
        "scores; find all with one --detector"
    )


def is_finding(value: object) -> bool:
    """Whether a value out of a file has the form of a record."""
    return isinstance(value, dict) and isinstance(value.get("detector", 0), str | None)
