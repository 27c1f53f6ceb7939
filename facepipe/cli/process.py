"""Manners of a process: standard streams that are there, signals that end it cleanly, readers that may leave."""

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
    """SIGTERM or SIGHUP came: everything that Ctrl-C cleans up is cleaned up.

    Attributes:
        exit_code: 128 and the number of the signal, as a shell reports it: 143 or 129.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"ended by {signal.Signals(number).name}")
        self.exit_code = 128 + number


class ReaderGone(click.exceptions.Exit):
    """Whoever read the output has closed it, as ``| head -1`` does: there is nothing more to say, and no error."""

    def __init__(self) -> None:
        super().__init__(0)


def open_missing_streams() -> None:
    """Give a process that was started without standard streams (cron, daemons, pythonw) streams into the void.

    Otherwise the first file that it opens gets their number, and what a library prints goes into that file.
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
    """Let SIGTERM and SIGHUP raise `Terminated`; one that was ignored before (nohup) stays ignored."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number in ENDING:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _end)


def _end(number: int, _: FrameType | None) -> None:
    # A second signal must not interrupt the cleaning up.
    for each in ENDING:
        signal.signal(each, signal.SIG_IGN)
    raise Terminated(number)


def end_process(code: int) -> NoReturn:
    """End with this code, and leave what the process holds to the system.

    To take networks and libraries apart piece by piece is a tenth of the work on two photos. Where something may still
    be under way, after an error or where there are other processes, it ends as Python usually does.
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
    """A text stream that ends the program quietly once nobody reads it any more; else the stream itself."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """As of the stream.

        Raises:
            ReaderGone: its reader has closed it.
        """
        try:
            return self._stream.write(text)
        except BrokenPipeError as error:
            raise self._gone() from error

    def flush(self) -> None:
        """As of the stream; raises as `write`."""
        try:
            self._stream.flush()
        except BrokenPipeError as error:
            raise self._gone() from error

    def _gone(self) -> ReaderGone:
        _into_the_void(self._stream)
        return ReaderGone()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class ErrorOutput:
    """A text stream for notes and errors: one that cannot be written to (a full disk) changes nothing else."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """As of the stream; what it cannot take is lost."""
        try:
            return self._stream.write(text)
        except OSError:
            _into_the_void(self._stream)
            return len(text)

    def flush(self) -> None:
        """As of the stream; what it cannot take is lost."""
        try:
            self._stream.flush()
        except OSError:
            _into_the_void(self._stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _into_the_void(stream: TextIO) -> None:
    """What is still in a stream's buffers must not fail again when Python ends."""
    void = os.open(os.devnull, os.O_WRONLY)
    os.dup2(void, stream.fileno())
    os.close(void)
