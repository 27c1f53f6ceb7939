"""Whoever opens a named pipe waits for ever, and a device may have no end."""

import errno
import stat
from pathlib import Path


def require_regular(path: Path) -> None:
    """Ask before a file is opened whether it is one. Pipes that a shell makes (``<(...)``) have a writer, and are.

    Raises:
        OSError: it is not there, or is a named pipe, a socket or a device.
    """
    mode = path.stat().st_mode
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return
    if stat.S_ISFIFO(mode) and path.is_relative_to("/dev"):
        return
    raise OSError(errno.EINVAL, "a named pipe, a socket or a device, not a regular file", str(path))
