"""Notes and progress as lines of a log, for programs that run where no terminal is."""

import json
import logging
import sys
import time

LOGGER = logging.getLogger("facepipe")
LEVELS = ("debug", "info", "warning", "error")
FORMATS = ("text", "json")


class _JsonLines(logging.Formatter):
    """One JSON value a line: time (UTC), level, message."""

    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created))
        return json.dumps({"time": moment, "level": record.levelname.lower(), "message": record.getMessage()})


class _Stderr(logging.Handler):
    """Writes to what ``sys.stderr`` is at the time."""

    def emit(self, record: logging.LogRecord) -> None:
        sys.stderr.write(self.format(record) + "\n")


def start_logging(level: str = "info", form: str = "text") -> None:
    """Send the log to stderr.

    Args:
        level: of `LEVELS`; what is below is not said.
        form: of `FORMATS`.
    """
    handler = _Stderr()
    handler.setFormatter(_JsonLines() if form == "json" else logging.Formatter("%(message)s"))
    LOGGER.handlers[:] = [handler]
    LOGGER.setLevel(level.upper())
    LOGGER.propagate = False
