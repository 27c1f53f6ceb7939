"""Lines that are written while a bar is on the same screen: they go above the bar, and what is no screen gets its own.

Rich's own way sends all that a program prints to the console of the bar, on stderr, even where stdout is a file.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TextIO

from rich.progress import Progress


@contextmanager
def lines_above(bar: Progress) -> Iterator[None]:
    """While the block runs, whole lines on stdout and stderr, where these are terminals, go above the bar."""

    def hidden(write: Callable[[], None]) -> None:
        bar.stop()
        try:
            write()
        finally:
            bar.start()

    with ExitStack() as ended:
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            if stream.isatty():
                above = _Above(stream, hidden)
                setattr(sys, name, above)
                ended.callback(above.end)
                ended.callback(setattr, sys, name, stream)
        yield


class _Above:
    """A stream on a terminal with a bar; a line is written once it is whole."""

    def __init__(self, stream: TextIO, hidden: Callable[[Callable[[], None]], None]) -> None:
        self._stream, self._hidden, self._rest = stream, hidden, ""

    def write(self, text: str) -> int:
        """Take in text; what is whole is written."""
        lines, newline, self._rest = (self._rest + text).rpartition("\n")
        if newline:
            self._hidden(lambda: self._put(f"{lines}\n"))
        return len(text)

    def end(self) -> None:
        """Write what is left."""
        if self._rest:
            self._put(self._rest)
            self._rest = ""

    def _put(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
