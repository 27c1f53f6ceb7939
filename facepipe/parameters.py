"""How messages name a parameter: ``device='cpu'`` to who calls from Python, ``--device cpu`` to who types commands."""

from collections.abc import Iterator
from contextlib import contextmanager

_as_options = False


def parameter(name: str, value: object = None, option: str = "") -> str:
    """A parameter with the value that it has, or should have.

    Args:
        name: as Python has it, such as ``on_miss``.
        value: True for a flag; None where there is nothing to say of it.
        option: its name on the command line, where that is another.
    """
    if not _as_options:
        return name if value is None else f"{name}={value!r}"
    flag = f"--{option or name.replace('_', '-')}"
    return flag if value is None or value is True else f"{flag} {value}"


@contextmanager
def as_options() -> Iterator[None]:
    """Within it parameters are named as options of the command line; for the command line alone."""
    global _as_options
    before, _as_options = _as_options, True
    try:
        yield
    finally:
        _as_options = before
