"""Printing lines while a progress bar is shown: on terminals they appear above the bar, other streams are unaffected.

Rich's own redirection sends all output to the bar's console on stderr, even if stdout is a file.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TextIO

from rich.progress import Progress


@contextmanager
def lines_above(bar: Progress) -> Iterator[None]:
    """Within the block, complete lines on stdout and stderr appear above the bar if these are terminals."""

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
    """A stream on a terminal with a bar; writes complete lines."""

    def __init__(self, stream: TextIO, hidden: Callable[[Callable[[], None]], None]) -> None:
        self._stream, self._hidden, self._rest = stream, hidden, ""

    def write(self, text: str) -> int:
        """Buffer text and write complete lines."""
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
