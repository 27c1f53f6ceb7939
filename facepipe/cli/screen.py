"""What people see on stderr and what programs read on stdout."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
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


def notes() -> Console:
    """The console on stderr."""
    return Console(stderr=True, highlight=False)


def note(text: str, style: str = "") -> None:
    """One line on stderr, never broken by the width of the screen."""
    notes().print(text, style=style, markup=False, soft_wrap=True)


def out() -> Console:
    """The console on stdout, for tables that people read."""
    return Console(highlight=False)


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
    """A bar on stderr with rate and time left, nothing where stderr is no terminal; yields its `Advance`."""
    console = notes()
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with bar:
        yield Advance(bar, bar.add_task(what, total=total))


class Advance:
    """Moves one bar: call it with the number of images that were finished."""

    def __init__(self, bar: Progress, task: Any) -> None:
        self._bar, self._task = bar, task

    def __call__(self, count: int) -> None:
        """``count`` more are done."""
        self._bar.advance(self._task, count)

    def total(self, count: int) -> None:
        """There are ``count`` in all."""
        self._bar.update(self._task, total=count)
