"""Counts of the files that a walk skipped, by reason, for commands to report."""

from dataclasses import dataclass, field
from pathlib import Path

from facepipe.shown import shown
from facepipe.tables import counted


@dataclass
class PassedOver:
    """Counts by reason, with the first path of each; filled in during a walk.

    A reason is a singular noun phrase, such as ``video`` or ``broken link``.

    Attributes:
        counts: reason → how many.
        examples: reason → the first path.
    """

    counts: dict[str, int] = field(default_factory=dict)
    examples: dict[str, str] = field(default_factory=dict)

    def add(self, reason: str, path: str | Path) -> None:
        """Count one more path."""
        self.counts[reason] = self.counts.get(reason, 0) + 1
        self.examples.setdefault(reason, str(path))

    def update(self, other: "PassedOver") -> None:
        """Add the counts of another walk."""
        for reason, count in other.counts.items():
            self.counts[reason] = self.counts.get(reason, 0) + count
            self.examples.setdefault(reason, other.examples[reason])

    def __len__(self) -> int:
        return sum(self.counts.values())

    def line(self) -> str:
        """One line, such as ``skipped: 1 video (a.mp4), 2 broken links (such as b.jpg)``; empty if there are none."""
        parts = [_part(reason, count, self.examples[reason]) for reason, count in self.counts.items()]
        return f"skipped: {', '.join(parts)}" if parts else ""

    def to_dict(self) -> dict[str, dict[str, int | str]]:
        """Reason → ``count`` and ``example``."""
        return {reason: {"count": n, "example": self.examples[reason]} for reason, n in self.counts.items()}


def _part(reason: str, count: int, example: str) -> str:
    return f"{counted(count, reason)} ({'' if count == 1 else 'such as '}{shown(example)})"
