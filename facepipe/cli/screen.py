"""What people see on stderr and what programs read on stdout."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from facepipe.cli.beside import lines_above
from facepipe.cli.logs import LOGGER
from facepipe.shown import shown

_LONGEST_TITLE = 40
QUIET_SECONDS = 20.0
"""Where there is no terminal, progress is a line of the log after so many seconds."""


def notes() -> Console:
    """The console on stderr."""
    return Console(stderr=True, highlight=False, markup=False, emoji=False)


def note(text: str, style: str = "") -> None:
    """One line on stderr, never broken by the width of the screen; coloured on a terminal only."""
    console = notes()
    if console.is_terminal and style:
        console.print(shown(text, len(text) * 6), style=style, markup=False, soft_wrap=True)
    else:
        LOGGER.info("%s", shown(text, len(text) * 6))


def say(text: object) -> None:
    """One line on stdout; what names from outside could do to a terminal is escaped, in a pipe too."""
    line = str(text)
    sys.stdout.write(shown(line, len(line) * 6) + "\n")


def cell(name: object) -> Text:
    """A name from outside for a table: no markup, nothing that moves the cursor."""
    return Text(shown(name))


def out() -> Console:
    """The console on stdout, for tables that people read."""
    return Console(highlight=False, markup=False, emoji=False)


def print_json(value: Any, indent: int | None = 2) -> None:
    """Write one JSON value to stdout, on one line when ``indent`` is None."""
    sys.stdout.write(json.dumps(value, indent=indent, ensure_ascii=True) + "\n")


class Rate(ProgressColumn):
    """Images per second."""

    def render(self, task: Task) -> Text:
        """The rate so far."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f}/s" if speed else "", style="progress.data.speed")


@contextmanager
def progress(what: str, total: int | None = None) -> Iterator["Advance"]:
    """A bar on stderr with rate and time left, a line every so often where stderr is no terminal; yields `Advance`."""
    # The stream as it is now: others may stand in for it.
    console = Console(file=sys.stderr, highlight=False, markup=False, emoji=False)
    what = shown(what, _LONGEST_TITLE)
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal or console.is_dumb_terminal,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    with nullcontext() if bar.disable else lines_above(bar), bar:
        yield Advance(bar, bar.add_task(what, total=total), what, total)


class Advance:
    """Moves one bar: call it with the number of images that were finished."""

    def __init__(self, bar: Progress, task: Any, what: str, total: int | None) -> None:
        self._bar, self._task, self._what, self._total = bar, task, what, total
        self._done = self._before = 0
        self._began = self._said = time.monotonic()

    def __call__(self, count: int) -> None:
        """``count`` more are done."""
        self._bar.advance(self._task, count)
        self._done += count
        now = time.monotonic()
        if self._bar.disable and now - self._said >= QUIET_SECONDS:
            self._said = now
            LOGGER.info("%s", self._line(now - self._began))

    def resumed(self, count: int) -> None:
        """``count`` were done before this run began: they are done, and say nothing of its rate."""
        self._bar.reset(self._task, completed=count)
        self._done = self._before = count

    def total(self, count: int) -> None:
        """There are ``count`` in all."""
        self._bar.update(self._task, total=count)
        self._total = count

    def _line(self, seconds: float) -> str:
        rate = (self._done - self._before) / seconds
        if not self._total:
            return f"{self._what}: {self._done:,} done, {rate:.1f}/s"
        left = (self._total - self._done) / rate if rate else float("inf")
        return f"{self._what}: {self._done:,} of {self._total:,} done, {rate:.1f}/s, about {left / 60:.0f} min to go"
