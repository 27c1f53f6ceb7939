"""Number format and engine of a network, as embeddings record them; ``+`` joins those of rows made differently."""

from collections.abc import Iterable

from facepipe.parameters import parameter

UNRECORDED = "unknown"
"""Stands for what older files do not record, where they are joined with others."""


def joined_record(several: Iterable[str]) -> str:
    """The record of rows that are put together; empty where no part has one."""
    kinds = {kind for one in several for kind in (one or UNRECORDED).split("+")}
    return "" if kinds == {UNRECORDED} else "+".join(sorted(kinds))


def mixed_precision(*several: str) -> str:
    """A remark on rows in different number formats that are compared with each other; empty where there are none.

    Rows of which nothing is known are passed over.
    """
    kinds = {kind for one in several for kind in one.split("+")} - {"", UNRECORDED}
    if len(kinds) < 2:
        return ""
    return (
        f"embeddings in {' and '.join(sorted(kinds))} are mixed: scores differ in the third digit from those in one; "
        f"embed all with one {parameter('precision')}"
    )
