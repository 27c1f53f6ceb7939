"""What people see on stderr and what programs read on stdout.

Rich is loaded for a bar on a terminal alone: a line waits for nothing.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

import click

from facepipe.cli.logs import LOGGER
from facepipe.shown import shown

if TYPE_CHECKING:
    from facepipe.cli.bar import Bar

_LONGEST_TITLE = 40
QUIET_SECONDS = 20.0
"""Where there is no terminal, progress is a line of the log after so many seconds."""


def is_terminal(stream: TextIO) -> bool:
    """Whether people look at a stream, who may move a cursor on it."""
    return stream.isatty() and not _is_dumb()


def note(text: str, style: str = "") -> None:
    """One line on stderr, never broken by the width of the screen; coloured on a terminal only."""
    line = shown(text, len(text) * 6)
    if style and sys.stderr.isatty():
        sys.stderr.write(_styled(line, style, sys.stderr) + "\n")
    else:
        LOGGER.info("%s", line)


def say(text: object, style: str = "") -> None:
    """One line on stdout; what names from outside could do to a terminal is escaped, in a pipe too.

    Args:
        text: what to say.
        style: words such as ``bold`` and ``green``, for terminals.
    """
    line = str(text)
    sys.stdout.write(_styled(shown(line, len(line) * 6), style, sys.stdout) + "\n")


def _styled(line: str, style: str, stream: TextIO) -> str:
    """``NO_COLOR`` and ``FORCE_COLOR`` as on their web pages: set and not empty."""
    coloured = bool(os.environ.get("FORCE_COLOR")) or (is_terminal(stream) and not os.environ.get("NO_COLOR"))
    if not style or not coloured:
        return line
    colours = [word for word in style.split() if word != "bold"]
    return click.style(line, fg=colours[0] if colours else None, bold="bold" in style)


def _is_dumb() -> bool:
    return os.environ.get("TERM", "").lower() in ("dumb", "unknown")


def print_json(value: Any, indent: int | None = 2) -> None:
    """Write one JSON value to stdout, on one line when ``indent`` is None."""
    sys.stdout.write(json.dumps(value, indent=indent, ensure_ascii=True) + "\n")


@contextmanager
def progress(what: str, total: int | None = None) -> Iterator["Advance"]:
    """A bar on stderr with rate and time left, a line every so often where stderr is no terminal; yields `Advance`."""
    what = shown(what, _LONGEST_TITLE)
    if not is_terminal(sys.stderr):
        yield Advance(what, total)
        return
    from facepipe.cli.bar import bar_on_stderr

    with bar_on_stderr(what, total) as bar:
        yield Advance(what, total, bar)


class Advance:
    """Counts on: call it with the number of images that were finished.

    Args:
        what: is done.
        total: how many there are, where that is known.
        bar: to be moved; None: there is a line of the log now and then.
    """

    def __init__(self, what: str, total: int | None = None, bar: "Bar | None" = None) -> None:
        self._what, self._total, self._bar = what, total, bar
        self._done = self._before = 0
        self._began = self._said = time.monotonic()

    def __call__(self, count: int) -> None:
        """``count`` more are done."""
        self._done += count
        if self._bar is not None:
            self._bar.advance(count)
            return
        now = time.monotonic()
        if now - self._said >= QUIET_SECONDS:
            self._said = now
            LOGGER.info("%s", self._line(now - self._began))

    def resumed(self, count: int) -> None:
        """``count`` were done before this run began: they are done, and say nothing of its rate."""
        self._done = self._before = count
        if self._bar is not None:
            self._bar.resumed(count)

    def total(self, count: int) -> None:
        """There are ``count`` in all."""
        self._total = count
        if self._bar is not None:
            self._bar.total(count)

    def _line(self, seconds: float) -> str:
        rate = (self._done - self._before) / seconds
        if not self._total:
            return f"{self._what}: {self._done:,} done, {rate:.1f}/s"
        left = (self._total - self._done) / rate if rate else float("inf")
        return f"{self._what}: {self._done:,} of {self._total:,} done, {rate:.1f}/s, about {left / 60:.0f} min to go"
