"""Process behaviour: missing standard streams, clean ends on signals, and closed pipes."""

import atexit
import os
import signal
import sys
import threading
from types import FrameType
from typing import Any, NoReturn, TextIO

import click

from facepipe.errors import Ended

ENDING = (signal.SIGTERM, signal.SIGHUP) if hasattr(signal, "SIGHUP") else (signal.SIGTERM,)


class Terminated(Ended):
    """SIGTERM or SIGHUP was received; cleans up like Ctrl-C.

    Attributes:
        exit_code: 128 plus the number of the signal, as in a shell: 143 or 129.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"ended by {signal.Signals(number).name}")
        self.exit_code = 128 + number


class ReaderGone(click.exceptions.Exit):
    """The reader of the output has closed it, as ``| head -1`` does; not an error."""

    def __init__(self) -> None:
        super().__init__(0)


def open_missing_streams() -> None:
    """Open the null device for missing standard streams (cron, daemons, pythonw).

    Otherwise the first opened file gets their number, and output of libraries goes into that file.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w"))  # noqa: SIM115, PTH123


def end_on_signals() -> None:
    """Make SIGTERM and SIGHUP raise `Terminated`; signals that were ignored (nohup) stay ignored."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number in ENDING:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _end)


def _end(number: int, _: FrameType | None) -> None:
    # A second signal must not interrupt the cleanup.
    for each in ENDING:
        signal.signal(each, signal.SIG_IGN)
    raise Terminated(number)


def end_process(code: int) -> NoReturn:
    """Exit with this code, leaving cleanup of memory to the system.

    Tearing down networks and libraries takes a tenth of the time for two photos. If something may still be running,
    after an error or with other processes, it exits as Python usually does.
    """
    busy = code not in (0, 1) or not {"torch", "multiprocessing"}.isdisjoint(sys.modules)
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        busy = True
    if busy:
        sys.exit(code)
    atexit._run_exitfuncs()
    os._exit(code)


class Output:
    """A text stream that ends the program quietly once its reader is gone."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """See the stream.

        Raises:
            ReaderGone: the reader has closed it.
        """
        try:
            return self._stream.write(text)
        except BrokenPipeError as error:
            raise self._gone() from error

    def flush(self) -> None:
        """See the stream; raises like `write`."""
        try:
            self._stream.flush()
        except BrokenPipeError as error:
            raise self._gone() from error

    def _gone(self) -> ReaderGone:
        _redirect_to_null(self._stream)
        return ReaderGone()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class ErrorOutput:
    """A text stream for notes and errors; failures to write to it (a full disk) are ignored."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """See the stream; text that cannot be written is lost."""
        try:
            return self._stream.write(text)
        except OSError:
            _redirect_to_null(self._stream)
            return len(text)

    def flush(self) -> None:
        """See the stream; text that cannot be written is lost."""
        try:
            self._stream.flush()
        except OSError:
            _redirect_to_null(self._stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _redirect_to_null(stream: TextIO) -> None:
    """Keep a stream's buffered text from failing again when Python exits."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)
