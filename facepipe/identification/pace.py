"""The pace of a film whose container keeps no number of frames: a jump in even times is damage that nobody reported.

FFmpeg goes on with the next part of a damaged Matroska file without a word. The times of its frames tell: where nearly
all follow each other at the nominal rate, a jump is a gap. In a film of a varying rate a jump means nothing.
"""

from facepipe.identification.gap import Gap

_EVEN, _SLACK = 0.1, 0.0011  # Matroska rounds times to milliseconds
_MOSTLY = 0.9
_JUMP = 3.0


class Pace:
    """Takes note of the times of frames.

    Args:
        fps: nominal frames per second.
    """

    def __init__(self, fps: float) -> None:
        self._fps = fps
        self._even = self._steps = 0
        self._jumps: list[Gap] = []
        self._last = 0.0

    def add(self, before: float, now: float) -> None:
        """A frame at ``now`` follows one at ``before``, in seconds."""
        step = now - before
        self._steps += 1
        self._even += abs(step - 1 / self._fps) <= _EVEN / self._fps + _SLACK
        if step > _JUMP / self._fps:
            self._jumps.append(Gap(before, now))
        self._last = now

    def gaps(self, length: float) -> tuple[list[Gap], int]:
        """Gaps of a film that was read to its end, and about how many frames are missing in them.

        Args:
            length: of the film in seconds, as its container says.
        """
        if self._even < _MOSTLY * self._steps or not self._steps:
            return [], 0
        gaps = [*self._jumps]
        missing = sum(round((gap.last - gap.first) * self._fps) - 1 for gap in gaps if gap.last is not None)
        rest = round((length - self._last) * self._fps) - 1
        if rest >= _JUMP:
            gaps.append(Gap(self._last, None))
            missing += rest
        return gaps, missing
