"""How messages name a parameter: ``device='cpu'`` for Python callers, ``--device cpu`` on the command line."""

from collections.abc import Iterator
from contextlib import contextmanager

_as_options = False


def parameter(name: str, value: object = None, option: str = "") -> str:
    """A parameter with its actual or suggested value.

    Args:
        name: in Python, such as ``on_miss``.
        value: True for a flag; None to omit it.
        option: its name on the command line, if different.
    """
    if not _as_options:
        return name if value is None else f"{name}={value!r}"
    flag = f"--{option or name.replace('_', '-')}"
    return flag if value is None or value is True else f"{flag} {value}"


@contextmanager
def as_options() -> Iterator[None]:
    """Name parameters as command-line options within this context; only for the command line."""
    global _as_options
    before, _as_options = _as_options, True
    try:
        yield
    finally:
        _as_options = before
