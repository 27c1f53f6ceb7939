"""Ctrl-C, SIGTERM and SIGHUP as a request to stop after the current step."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

HANGUP = (signal.SIGHUP,) if hasattr(signal, "SIGHUP") else ()


class Interrupt:
    """In ``with Interrupt() as interrupt`` a signal sets ``wanted`` and ``number``; a second Ctrl-C stops at once."""

    def __init__(self) -> None:
        self.wanted = False
        self.number = int(signal.SIGINT)
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Interrupt":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM, *HANGUP):
                self._before[number] = signal.signal(number, self._catch)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _catch(self, number: int, _: FrameType | None) -> None:
        if self.wanted and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.wanted, self.number = True, number
