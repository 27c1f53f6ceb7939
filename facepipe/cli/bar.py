"""A bar on a terminal, by Rich."""

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
    """One bar.

    Args:
        progress: that shows it.
        task: its number there.
    """

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress, self._task = progress, task

    def advance(self, count: int) -> None:
        """``count`` more are done."""
        self._progress.advance(self._task, count)

    def resumed(self, count: int) -> None:
        """``count`` were done before, at another rate."""
        self._progress.reset(self._task, completed=count)

    def total(self, count: int) -> None:
        """There are ``count`` in all."""
        self._progress.update(self._task, total=count)


@contextmanager
def bar_on_stderr(what: str, total: int | None) -> Iterator[Bar]:
    """A bar while the block runs; lines that are written meanwhile go above it."""
    # The stream as it is now: others may stand in for it.
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
