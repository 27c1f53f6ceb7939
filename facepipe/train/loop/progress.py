"""Messages and progress of a run: notes for the user, running loss and speed, and the progress bar."""

import logging
import time
from types import TracebackType

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from torch import Tensor

from facepipe.shown import shown

_LOGGER = logging.getLogger("facepipe")


def notify(console: Console, line: str) -> None:
    """Show one line: in the log ``facepipe`` if the program configured it and the console is stderr, else printed.

    Args:
        console: prints nothing if it is quiet.
        line: control characters from external names are escaped.
    """
    if console.quiet:
        return
    line = shown(line, len(line) * 6)
    if console.stderr and _LOGGER.hasHandlers():
        _LOGGER.info("%s", line)
    else:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


class RunningLoss:
    """Mean loss and speed since construction; sums on the device, so that no step waits for it."""

    def __init__(self, device: torch.device) -> None:
        self._loss = torch.zeros((), device=device)
        self._steps = 0
        self._began = time.perf_counter()

    def add(self, loss: Tensor) -> None:
        """Add the loss of one step."""
        self._loss += loss
        self._steps += 1

    def mean_loss(self) -> float:
        """Mean over the steps so far; nan if there were none."""
        return float(self._loss) / self._steps if self._steps else float("nan")

    def steps_per_second(self) -> float:
        """Speed since construction."""
        return self._steps / max(time.perf_counter() - self._began, 1e-9)


class TrainingProgress:
    """A progress bar on stderr, if it is a terminal: step, samples per second, loss, λ and time left."""

    def __init__(self, total: int, done: int, console: Console) -> None:
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TextColumn("{task.fields[values]}"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal or console.is_dumb_terminal,
            transient=True,
            redirect_stdout=False,
        )
        self._task: TaskID = self._bar.add_task("train", total=total, completed=done, rate="", values="")

    def advance(self) -> None:
        """Advance by one step."""
        self._bar.advance(self._task)

    def show(self, samples_per_second: float, loss: float, lam: float | None) -> None:
        """Update the figures."""
        values = f"loss {loss:.3f}" + (f" λ {lam:.1f}" if lam is not None else "")
        self._bar.update(self._task, rate=f"{samples_per_second:,.0f} samples/s", values=values)

    def __enter__(self) -> "TrainingProgress":
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()
