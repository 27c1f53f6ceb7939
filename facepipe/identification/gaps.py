"""Detecting gaps in videos whose container does not store the number of frames, by jumps in otherwise even timestamps.

FFmpeg silently continues after damaged parts of a Matroska file. If nearly all timestamps follow at the nominal rate, a
jump is a gap; in a video with variable frame rate a jump means nothing.
"""

from dataclasses import dataclass

_EVEN, _SLACK = 0.1, 0.0011  # Matroska rounds times to milliseconds
_EVEN_SHARE = 0.9
_JUMP = 3.0


@dataclass(frozen=True)
class Gap:
    """A place where consecutive frames could not be decoded.

    Attributes:
        first, last: seconds since the first frame, of the last frame before the gap and the first after it;
            0 at the start, and None if no frame follows.
    """

    first: float
    last: float | None


class Pace:
    """Tracks the timestamps of frames.

    Args:
        fps: nominal frames per second.
    """

    def __init__(self, fps: float) -> None:
        self._fps = fps
        self._even = self._steps = 0
        self._jumps: list[Gap] = []
        self._last = 0.0

    def add(self, before: float, now: float) -> None:
        """Add a frame at ``now`` that follows one at ``before``, in seconds."""
        step = now - before
        self._steps += 1
        self._even += abs(step - 1 / self._fps) <= _EVEN / self._fps + _SLACK
        if step > _JUMP / self._fps:
            self._jumps.append(Gap(before, now))
        self._last = now

    def gaps(self, length: float) -> tuple[list[Gap], int]:
        """Gaps of a video read to its end, and the approximate number of missing frames.

        Args:
            length: of the video in seconds, according to its container.
        """
        if self._even < _EVEN_SHARE * self._steps or not self._steps:
            return [], 0
        gaps = [*self._jumps]
        missing = sum(round((gap.last - gap.first) * self._fps) - 1 for gap in gaps if gap.last is not None)
        rest = round((length - self._last) * self._fps) - 1
        if rest >= _JUMP:
            gaps.append(Gap(self._last, None))
            missing += rest
        return gaps, missing
