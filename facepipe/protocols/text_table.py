"""Tables and summaries as aligned plain text, with control characters escaped."""

from collections.abc import Iterable, Sequence

from facepipe.shown import shown
from facepipe.tables import Column, Summary, Table

GAP = 2
"""Spaces between columns."""


def as_text(parts: Iterable[Summary]) -> str:
    """A summary as text: what the command line prints into a pipe, with notes in their place."""
    lines: list[str] = []
    for part in parts:
        lines += _table_lines(part) if isinstance(part, Table) else [escaped(part.text)]
    return "\n".join(lines)


def _table_lines(table: Table) -> list[str]:
    body, footer = ([[escaped(cell) for cell in row] for row in part] for part in (table.rows, table.footer))
    lines = [escaped(table.title)] if table.title else []
    if not body and not footer:
        return lines
    widths = natural_widths(table.columns, [*body, *footer])
    if any(column.title for column in table.columns):
        lines.append(table_line(table.columns, [column.title for column in table.columns], widths))
    lines += [table_line(table.columns, row, widths) for row in body]
    if footer:
        lines.append("─" * (sum(widths) + GAP * (len(widths) - 1)))
        lines += [table_line(table.columns, row, widths) for row in footer]
    return lines


def escaped(value: object) -> str:
    """A cell or line as text, of any length, with control characters escaped."""
    text = str(value)
    return shown(text, 6 * len(text) + 1)


def display_width(text: str) -> int:
    """Columns that a text takes on a terminal; East Asian characters take two."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def natural_widths(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[int]:
    """The width that each column needs."""
    return [
        max(map(display_width, (column.title, *(row[index] for row in rows)))) for index, column in enumerate(columns)
    ]


def table_line(columns: Sequence[Column], cells: Sequence[str], widths: Sequence[int]) -> str:
    """One line of a table."""
    padded = []
    for column, cell, width in zip(columns, cells, widths, strict=True):
        space = " " * (width - display_width(cell))
        padded.append(space + cell if column.right else cell + space)
    return (" " * GAP).join(padded).rstrip()
