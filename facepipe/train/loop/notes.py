"""Lines that a training says to people, through the log of whoever runs it."""

import logging

from rich.console import Console

from facepipe.shown import shown

_LOGGER = logging.getLogger("facepipe")


def tell(console: Console, line: str) -> None:
    """One line: to the log ``facepipe`` where the program has set one up and the console is stderr, else printed.

    Args:
        console: one that is quiet says nothing at all.
        line: what names from outside could do to a terminal is escaped.
    """
    if console.quiet:
        return
    line = shown(line, len(line) * 6)
    if console.stderr and _LOGGER.hasHandlers():
        _LOGGER.info("%s", line)
    else:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
