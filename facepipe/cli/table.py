"""Tables that people read: no name, path or figure is ever cut, whatever the width of the screen.

Frameless, so that a line that is wider than the screen can be read and copied all the same.
"""

import sys
from collections.abc import Iterable, Sequence
from shutil import get_terminal_size

from facepipe.cli.screen import note, say
from facepipe.shown import shown
from facepipe.tables import Column, Summary, Table, TextLine

GAP = 2
_PROSE = 24
"""Least width of text that may be broken between words."""


def show_table(
    columns: Sequence[Column],
    rows: Iterable[Sequence[object]],
    title: str = "",
    footer: Iterable[Sequence[object]] = (),
) -> None:
    """Print a table on stdout: as wide as it is in a pipe, and on a terminal made to fit where that can be done.

    Args:
        columns: from left to right.
        rows: cells, a row as long as ``columns``; what could do harm to a terminal is escaped.
        title: a line above it.
        footer: rows below a rule.
    """
    body, sums = [[_plain(cell) for cell in row] for row in rows], [[_plain(cell) for cell in row] for row in footer]
    room = get_terminal_size().columns if sys.stdout.isatty() else None
    chosen = _chosen(columns, [*body, *sums], room)
    kept = [columns[at] for at in chosen]
    left = [column.title for at, column in enumerate(columns) if at not in chosen]
    body, sums = ([[row[at] for at in chosen] for row in part] for part in (body, sums))
    widths = _widths(kept, [*body, *sums], room)
    if title:
        say(title, style="bold")
    if not body and not sums:
        return
    if any(column.title for column in kept):
        say(_line(kept, [column.title for column in kept], widths), style="bold")
    _print(kept, body, widths)
    if sums:
        wide = sum(widths) + GAP * (len(widths) - 1)
        say("─" * min(wide, room or wide))
        _print(kept, sums, widths)
    if left:
        note(f"left out, since the screen is {room} columns wide: {', '.join(left)}; --json has all")


def show_summary(parts: Iterable[Summary]) -> None:
    """Tables and lines on stdout, notes on stderr, in their order."""
    for part in parts:
        if isinstance(part, Table):
            show_table(part.columns, part.rows, part.title, part.footer)
        elif isinstance(part, TextLine):
            say(part.text)
        else:
            note(part.text, style="yellow" if part.warning else "")


def _cells(text: str) -> int:
    """Columns of the screen that a text takes; letters of East Asia take two."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _plain(value: object) -> str:
    text = str(value)
    return shown(text, 6 * len(text) + 1)


def _natural(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(_cells, (column.title, *(row[at] for row in rows)))) for at, column in enumerate(columns)]


def _chosen(columns: Sequence[Column], rows: Sequence[Sequence[str]], room: int | None) -> list[int]:
    """Places of the columns that are shown."""
    chosen = list(range(len(columns)))
    natural = _natural(columns, rows)
    least = [min(wide, _PROSE) if column.prose else wide for column, wide in zip(columns, natural, strict=True)]
    if room is not None and sum(least[at] + GAP for at in chosen if not columns[at].lesser) - GAP > room:
        least[-1] = 0  # it runs over whatever else is left out, and need not cost other columns their place
    while room is not None and sum(least[at] + GAP for at in chosen) - GAP > room:
        droppable = [at for at in chosen if columns[at].lesser]
        if not droppable:
            break
        chosen.remove(max(droppable, key=lambda at: columns[at].lesser))
    return chosen


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[str]], room: int | None) -> list[int]:
    """Natural widths; columns of prose share what is too much for the screen."""
    widths = _natural(columns, rows)
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
            widths[at] = min(widths[at], max(map(_cells, (column.title, *lines))))
    return widths


def _print(columns: Sequence[Column], rows: Sequence[Sequence[str]], widths: Sequence[int]) -> None:
    for row in rows:
        cells = [
            _broken(cell, width) if column.prose else [cell]
            for column, cell, width in zip(columns, row, widths, strict=True)
        ]
        for line in range(max(map(len, cells))):
            words = [cell[line] if line < len(cell) else "" for cell in cells]
            say(_line(columns, words, widths))


def _line(columns: Sequence[Column], cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [
        " " * (width - _cells(cell)) + cell if column.right else cell + " " * (width - _cells(cell))
        for column, cell, width in zip(columns, cells, widths, strict=True)
    ]
    return (" " * GAP).join(padded).rstrip()


def _broken(text: str, width: int) -> list[str]:
    """``text`` in lines of at most ``width``, broken between words; a longer word has a line of its own."""
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if lines[-1] and _cells(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
