"""Runs that learn nothing: signs of collapse, and the last good checkpoint of a run that diverged."""

from collections import deque
from collections.abc import Mapping
from pathlib import Path

from facepipe.train.loop.checkpoint import checkpoint_folders, read_values

_REPORTS = 10
_SAME = 1e-5
_CHANCE = 0.5


class CollapseWatch:
    """Watches the reports of a run for signs of collapse.

    A loss constant to five digits over ten reports, an accuracy of 0 in ten reports after the first epoch, or an
    evaluation no better than chance mean that weights do not change, that all faces get the same embedding, or that
    labels do not match images.

    Args:
        steps_per_epoch: an accuracy of 0 is ignored before this step.
    """

    def __init__(self, steps_per_epoch: float) -> None:
        self._steps_per_epoch = steps_per_epoch
        self._losses: deque[float] = deque(maxlen=_REPORTS)
        self._accuracies: deque[float] = deque(maxlen=_REPORTS)
        self._step = 0
        self._evaluation: dict[str, float] = {}
        self._reported: set[str] = set()

    def update(self, step: int, loss: float, logged: Mapping[str, float]) -> list[str]:
        """Add a report; returns new signs, one line each.

        Args:
            step: the step done.
            loss: mean loss since the last report.
            logged: values logged by the loss, such as ``accuracy``.
        """
        self._step = step
        self._losses.append(loss)
        if "accuracy" in logged:
            self._accuracies.append(logged["accuracy"])
        return self._new()

    def evaluated(self, figures: Mapping[str, float]) -> list[str]:
        """Add an evaluation; returns new signs, one line each."""
        self._evaluation = {name: value for name, value in figures.items() if name in ("lfw", "held_out_accuracy")}
        return self._new()

    def signs(self) -> dict[str, str]:
        """All present signs: kind → line."""
        found = {}
        if len(self._losses) == _REPORTS and _constant(self._losses):
            found["loss"] = f"the loss is {self._losses[-1]:.6g} in each of the last {_REPORTS} reports"
        full = len(self._accuracies) == _REPORTS and self._step >= self._steps_per_epoch
        if full and not any(self._accuracies):
            found["accuracy"] = f"the accuracy was 0 in each of the last {_REPORTS} reports"
        chance = [name for name, value in self._evaluation.items() if value <= _CHANCE]
        if chance:
            found["evaluation"] = f"{chance[0]} is {self._evaluation[chance[0]]:.4f}, no better than chance"
        return found

    def _new(self) -> list[str]:
        now = self.signs()
        fresh = [line for kind, line in now.items() if kind not in self._reported]
        # Reported once, and again if it returns.
        self._reported = set(now)
        return fresh


def _constant(losses: deque[float]) -> bool:
    return max(losses) - min(losses) <= _SAME * abs(losses[-1])


def last_good(run: Path) -> str:
    """A parenthesised remark that names the last checkpoint with a sound loss, or says that there is none; or empty.

    A loss is sound if it is at most twice that of the first step (or, for small ones, that plus one): a network worse
    than an untrained one was already diverging, although its weights are still finite.
    """
    kept = [(folder.name, *_losses(folder)) for folder in checkpoint_folders(run)]
    if not kept:
        return ""
    good = next((number for number, (_, loss, first) in enumerate(kept) if loss <= first + max(1.0, abs(first))), None)
    if good is None:
        name, loss, first = kept[-1]
        return f" (no checkpoint is good: {name} has a loss of {loss:.3g}, the first step had {first:.3g})"
    name, loss, _ = kept[good]
    if good == 0:
        return f" ({name} is good, with a loss of {loss:.3g})"
    bad = ", ".join(f"{name} with {loss:.3g}" for name, loss, _ in kept[:good])
    return f" ({name} is the last good one, with a loss of {loss:.3g}; remove {bad})"


def _losses(folder: Path) -> tuple[float, float]:
    """Mean loss before a checkpoint, and loss of the first step of the run; 0 and 0 in old checkpoints."""
    values = read_values(folder)
    return float(values.get("loss", 0)), float(values.get("first_loss", 0))
