"""One line of the measurement."""

from dataclasses import dataclass


@dataclass(frozen=True)
class StageRow:
    """One stage: its throughput; for a peer also facepipe's throughput as a multiple of it."""

    stage: str
    who: str
    per_second: float
    facepipe_times: float | None = None
