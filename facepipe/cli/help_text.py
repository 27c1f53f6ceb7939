"""Layout of ``--help``: options under headings, and no line breaks inside what a user must type."""

import re
from collections.abc import Iterable, Sequence

import click

WIDEST = 100
"""Maximum width of a help page; longer lines are hard to read."""
_NARROW = 75
"""Below this width, explanations are placed under their option."""
_INDENT = 6
# Heading → options shared by many commands; a command's own options come first.
_SECTIONS = {
    "Face detection": (
        "--faces",
        "--already-aligned",
        "--detector",
        "--preset",
        "--min-score",
        "--min-face",
        "--factor",
        "--thresholds",
        "--max-pixels",
        "--border",
        "--turns",
    ),
    "Model and device": ("--model", "--flip", "--precision", "--device", "--engine", "--warp", "--on", "--workers"),
    "Output": ("--strict", "--json", "--overwrite", "--help"),
}
_SHORTEST_LIST = 8
"""Commands with fewer options list them without sections."""

# Non-breaking characters replace hyphens and spaces until the page is written.
_HYPHEN, _SPACE = "\N{NON-BREAKING HYPHEN}", "\N{NO-BREAK SPACE}"
_WHOLE = re.compile(r"'facepipe [^']{1,30}'|\[default: \S{1,20}\]")

Rows = Sequence[tuple[str, str]]


class HelpFormatter(click.HelpFormatter):
    """Click's formatter, with options in sections, and without breaks in hyphenated words and quoted commands."""

    def write_text(self, text: str) -> None:
        """Write paragraphs."""
        super().write_text(_kept_whole(text))

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Write options or commands with their explanations."""
        rows = [(first, _kept_whole(second)) for first, second in rows]
        are_options = all(first.startswith("-") for first, _ in rows)
        narrow = are_options and self.width < _NARROW
        column = _INDENT if narrow else col_max
        for title, part in _sections(rows) if are_options else [("", rows)]:
            if title:
                self.dedent()
                self.write_paragraph()
                self.write_heading(title)
                self.indent()
            # Explanations are aligned across sections.
            widest = 0 if narrow else min(max(len(first) for first, _ in rows), column)
            super().write_dl([(first.ljust(widest), second) for first, second in part], column, col_spacing)

    def getvalue(self) -> str:
        """The help page."""
        text = super().getvalue().replace(_HYPHEN, "-").replace(_SPACE, " ")
        return "\n".join(line.rstrip() for line in text.split("\n"))


class HelpContext(click.Context):
    """A context that formats help pages with `HelpFormatter`."""

    formatter_class = HelpFormatter


def _kept_whole(text: str) -> str:
    text = _WHOLE.sub(lambda found: found[0].replace(" ", _SPACE), text)
    return re.sub(r"(?<=\S)-(?=\w)", _HYPHEN, text)


def _sections(rows: Rows) -> list[tuple[str, Rows]]:
    """Title and options of each section; the command's own options first, without a title."""
    if len(rows) < _SHORTEST_LIST:
        return [("", rows)]
    section_of = {name: title for title, names in _SECTIONS.items() for name in names}
    parts: dict[str, list[tuple[str, str]]] = {title: [] for title in ("", *_SECTIONS)}
    for first, second in rows:
        named = (section_of[word] for word in re.findall(r"--[\w-]+", first) if word in section_of)
        parts[next(named, "")].append((first, second))
    return [(title, part) for title, part in parts.items() if part]
