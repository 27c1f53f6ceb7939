"""Output: notes and progress on stderr, data on stdout.

Rich is imported only for a progress bar on a terminal.
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
"""Without a terminal, progress is logged at this interval."""


def is_terminal(stream: TextIO) -> bool:
    """Whether a stream is a terminal with cursor movement."""
    return stream.isatty() and not _is_dumb()


def note(text: str, style: str = "") -> None:
    """Print one line on stderr, without wrapping; coloured only on a terminal."""
    line = shown(text, len(text) * 6)
    if style and sys.stderr.isatty():
        sys.stderr.write(_styled(line, style, sys.stderr) + "\n")
    else:
        LOGGER.info("%s", line)


def say(text: object, style: str = "") -> None:
    """Print one line on stdout, with control characters escaped, also in a pipe.

    Args:
        text: the text.
        style: words such as ``bold`` and ``green``, for terminals.
    """
    line = str(text)
    sys.stdout.write(_styled(shown(line, len(line) * 6), style, sys.stdout) + "\n")


def _styled(line: str, style: str, stream: TextIO) -> str:
    """Respects ``NO_COLOR`` and ``FORCE_COLOR``, if set and not empty."""
    coloured = bool(os.environ.get("FORCE_COLOR")) or (is_terminal(stream) and not os.environ.get("NO_COLOR"))
    if not style or not coloured:
        return line
    colours = [word for word in style.split() if word != "bold"]
    return click.style(line, fg=colours[0] if colours else None, bold="bold" in style)


def _is_dumb() -> bool:
    return os.environ.get("TERM", "").lower() in ("dumb", "unknown")


def print_json(value: Any, indent: int | None = 2) -> None:
    """Write one JSON value to stdout, on one line if ``indent`` is None."""
    sys.stdout.write(json.dumps(value, indent=indent, ensure_ascii=True) + "\n")


@contextmanager
def progress(what: str, total: int | None = None) -> Iterator["Advance"]:
    """Show a bar on stderr with rate and time left, or log lines if stderr is no terminal; yields `Advance`."""
    what = shown(what, _LONGEST_TITLE)
    if not is_terminal(sys.stderr):
        yield Advance(what, total)
        return
    from facepipe.cli.bar import bar_on_stderr

    with bar_on_stderr(what, total) as bar:
        yield Advance(what, total, bar)


class Advance:
    """A progress counter: call it with the number of finished images.

    Args:
        what: what is being done.
        total: total number of images, if known.
        bar: the bar to update; None logs lines instead.
    """

    def __init__(self, what: str, total: int | None = None, bar: "Bar | None" = None) -> None:
        self._what, self._total, self._bar = what, total, bar
        self._done = self._before = 0
        self._began = self._said = time.monotonic()

    def __call__(self, count: int) -> None:
        """Add ``count`` finished images."""
        self._done += count
        if self._bar is not None:
            self._bar.advance(count)
            return
        now = time.monotonic()
        if now - self._said >= QUIET_SECONDS:
            self._said = now
            LOGGER.info("%s", self._line(now - self._began))

    def resumed(self, count: int) -> None:
        """Start from ``count`` images done earlier, not counted in the rate."""
        self._done = self._before = count
        if self._bar is not None:
            self._bar.resumed(count)

    def total(self, count: int) -> None:
        """Set the total to ``count``."""
        self._total = count
        if self._bar is not None:
            self._bar.total(count)

    def _line(self, seconds: float) -> str:
        rate = (self._done - self._before) / seconds
        if not self._total:
            return f"{self._what}: {self._done:,} done, {rate:.1f}/s"
        left = (self._total - self._done) / rate if rate else float("inf")
        return f"{self._what}: {self._done:,} of {self._total:,} done, {rate:.1f}/s, about {left / 60:.0f} min to go"
