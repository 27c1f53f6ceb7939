"""Notes and progress as log lines, for use without a terminal."""

import json
import logging
import sys
import time

LOGGER = logging.getLogger("facepipe")
LEVELS = ("debug", "info", "warning", "error")
FORMATS = ("text", "json")


class _JsonLines(logging.Formatter):
    """One JSON object per line: time (UTC), level, message."""

    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created))
        return json.dumps({"time": moment, "level": record.levelname.lower(), "message": record.getMessage()})


class _Stderr(logging.Handler):
    """Writes to the current ``sys.stderr``."""

    def emit(self, record: logging.LogRecord) -> None:
        sys.stderr.write(self.format(record) + "\n")


def start_logging(level: str = "info", form: str = "text") -> None:
    """Send the log to stderr.

    Args:
        level: one of `LEVELS`; less severe messages are dropped.
        form: one of `FORMATS`.
    """
    handler = _Stderr()
    handler.setFormatter(_JsonLines() if form == "json" else logging.Formatter("%(message)s"))
    LOGGER.handlers[:] = [handler]
    LOGGER.setLevel(level.upper())
    LOGGER.propagate = False
