"""Signs that a run learns nothing any more: said while it runs, and at its end."""

from collections import deque
from collections.abc import Mapping

_REPORTS = 10
_SAME = 1e-5
_CHANCE = 0.5


class CollapseWatch:
    """Looks at what a run reports of itself.

    A loss that stays the same to five digits over ten reports, no sample of the last ten reports nearest to its own
    class after an epoch, and an evaluation no better than chance are signs that weights do not move, that the network
    gives every face one embedding, or that labels and images do not belong together.

    Args:
        steps_per_epoch: before which an accuracy of 0 means nothing.
    """

    def __init__(self, steps_per_epoch: float) -> None:
        self._steps_per_epoch = steps_per_epoch
        self._losses: deque[float] = deque(maxlen=_REPORTS)
        self._accuracies: deque[float] = deque(maxlen=_REPORTS)
        self._step = 0
        self._evaluation: dict[str, float] = {}
        self._said: set[str] = set()

    def see(self, step: int, loss: float, logged: Mapping[str, float]) -> list[str]:
        """Take in a report; returns the signs that are new, a line each.

        Args:
            step: that is done.
            loss: mean since the last report.
            logged: of the loss, such as ``accuracy``.
        """
        self._step = step
        self._losses.append(loss)
        if "accuracy" in logged:
            self._accuracies.append(logged["accuracy"])
        return self._new()

    def evaluated(self, figures: Mapping[str, float]) -> list[str]:
        """Take in an evaluation; as `see`."""
        self._evaluation = {name: value for name, value in figures.items() if name in ("lfw", "held_out_accuracy")}
        return self._new()

    def signs(self) -> dict[str, str]:
        """What holds now: kind → line."""
        found = {}
        if len(self._losses) == _REPORTS and _constant(self._losses):
            found["loss"] = f"the loss is {self._losses[-1]:.6g} in each of the last {_REPORTS} reports"
        full = len(self._accuracies) == _REPORTS and self._step >= self._steps_per_epoch
        if full and not any(self._accuracies):
            found["accuracy"] = f"no sample of the last {_REPORTS} reports was nearest to its own class"
        chance = [name for name, value in self._evaluation.items() if value <= _CHANCE]
        if chance:
            found["evaluation"] = f"{chance[0]} is {self._evaluation[chance[0]]:.4f}: chance; people are not told apart"
        return found

    def _new(self) -> list[str]:
        now = self.signs()
        fresh = [line for kind, line in now.items() if kind not in self._said]
        # Said again when it comes back, not at every report.
        self._said = set(now)
        return fresh


def _constant(losses: deque[float]) -> bool:
    return max(losses) - min(losses) <= _SAME * abs(losses[-1])
