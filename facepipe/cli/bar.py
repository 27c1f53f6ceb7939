"""A progress bar on a terminal, with Rich."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from facepipe.cli.above_bar import lines_above


class Rate(ProgressColumn):
    """Images per second."""

    def render(self, task: Task) -> Text:
        """The rate so far."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f}/s" if speed else "", style="progress.data.speed")


class Bar:
    """A progress bar.

    Args:
        progress: Rich's display.
        task: the bar's id in it.
    """

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress, self._task = progress, task

    def advance(self, count: int) -> None:
        """Add ``count`` finished items."""
        self._progress.advance(self._task, count)

    def resumed(self, count: int) -> None:
        """Start from ``count`` items done earlier, not counted in the rate."""
        self._progress.reset(self._task, completed=count)

    def total(self, count: int) -> None:
        """Set the total to ``count``."""
        self._progress.update(self._task, total=count)


@contextmanager
def bar_on_stderr(what: str, total: int | None) -> Iterator[Bar]:
    """Show a bar within the block; lines written meanwhile appear above it."""
    # The current stream, which may have been replaced.
    console = Console(file=sys.stderr, highlight=False, markup=False, emoji=False)
    progress = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    with lines_above(progress), progress:
        yield Bar(progress, progress.add_task(what, total=total))
