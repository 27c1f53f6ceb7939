"""Tables for people: no name, path or figure is ever truncated, whatever the width of the screen.

Without frames, so that lines wider than the screen can still be read and copied.
"""

import sys
from collections.abc import Iterable, Sequence
from shutil import get_terminal_size

from facepipe.cli.screen import note, say
from facepipe.protocols.text_table import GAP, display_width, escaped, natural_widths, table_line
from facepipe.tables import Column, Summary, Table, TextLine

_PROSE = 24
"""Minimum width of wrapped text."""


def show_table(
    columns: Sequence[Column],
    rows: Iterable[Sequence[object]],
    title: str = "",
    footer: Iterable[Sequence[object]] = (),
) -> None:
    """Print a table on stdout: at natural width in a pipe, fitted to the width of a terminal if possible.

    Args:
        columns: from left to right.
        rows: cells, one per column; control characters are escaped.
        title: a line above it.
        footer: rows below a rule.
    """
    body, sums = [[escaped(cell) for cell in row] for row in rows], [[escaped(cell) for cell in row] for row in footer]
    room = get_terminal_size().columns if sys.stdout.isatty() else None
    chosen = _chosen(columns, [*body, *sums], room)
    kept = [columns[at] for at in chosen]
    dropped = [column.title for at, column in enumerate(columns) if at not in chosen]
    body, sums = ([[row[at] for at in chosen] for row in part] for part in (body, sums))
    widths = _widths(kept, [*body, *sums], room)
    if title:
        say(title, style="bold")
    if not body and not sums:
        return
    if any(column.title for column in kept):
        say(table_line(kept, [column.title for column in kept], widths), style="bold")
    _print(kept, body, widths)
    if sums:
        wide = sum(widths) + GAP * (len(widths) - 1)
        say("─" * min(wide, room or wide))
        _print(kept, sums, widths)
    if dropped:
        note(f"not shown, as the screen is only {room} columns wide: {', '.join(dropped)}; --json has everything")


def show_summary(parts: Iterable[Summary]) -> None:
    """Print tables and lines on stdout and notes on stderr, in order."""
    for part in parts:
        if isinstance(part, Table):
            show_table(part.columns, part.rows, part.title, part.footer)
        elif isinstance(part, TextLine):
            say(part.text)
        else:
            note(part.text, style="yellow" if part.warning else "")


def _chosen(columns: Sequence[Column], rows: Sequence[Sequence[str]], room: int | None) -> list[int]:
    """Indices of the columns to show."""
    chosen = list(range(len(columns)))
    natural = natural_widths(columns, rows)
    least = [min(wide, _PROSE) if column.prose else wide for column, wide in zip(columns, natural, strict=True)]
    if room is not None and sum(least[at] + GAP for at in chosen if not columns[at].lesser) - GAP > room:
        least[-1] = 0  # it overflows in any case, and need not displace other columns
    while room is not None and sum(least[at] + GAP for at in chosen) - GAP > room:
        droppable = [at for at in chosen if columns[at].lesser]
        if not droppable:
            break
        chosen.remove(max(droppable, key=lambda at: columns[at].lesser))
    return chosen


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[str]], room: int | None) -> list[int]:
    """Natural widths, with prose columns reduced to fit the screen."""
    widths = natural_widths(columns, rows)
    over = 0 if room is None else sum(widths) + GAP * (len(widths) - 1) - room
    while over > 0:
        wide = [at for at, column in enumerate(columns) if column.prose and widths[at] > _PROSE]
        if not wide:
            break
        widest = max(wide, key=lambda at: widths[at])
        less = min(over, widths[widest] - _PROSE, max(1, over // len(wide)))
        widths[widest] -= less
        over -= less
    for at, column in enumerate(columns):
        if column.prose:
            lines = [line for row in rows for line in _broken(row[at], widths[at])]
            widths[at] = min(widths[at], max(map(display_width, (column.title, *lines))))
    return widths


def _print(columns: Sequence[Column], rows: Sequence[Sequence[str]], widths: Sequence[int]) -> None:
    for row in rows:
        cells = [
            _broken(cell, width) if column.prose else [cell]
            for column, cell, width in zip(columns, row, widths, strict=True)
        ]
        for line in range(max(map(len, cells))):
            words = [cell[line] if line < len(cell) else "" for cell in cells]
            say(table_line(columns, words, widths))


def _broken(text: str, width: int) -> list[str]:
    """``text`` wrapped to ``width`` between words; longer words get their own line."""
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if lines[-1] and display_width(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
