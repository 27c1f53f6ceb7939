"""Where frames of a video are missing."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Gap:
    """Where frames in a row could not be decoded.

    Attributes:
        first, last: seconds since the first frame, of the last frame before the gap and of the first one behind it;
            at the start 0, and None where no frame comes behind it.
    """

    first: float
    last: float | None
