"""The reader common to all text lists.

It is tolerant about form (byte order marks, UTF-16 from spreadsheets, line endings, tabs or spaces, empty lines,
backslashes, integers that pandas wrote as 1.0) and leaves the meaning to its callers, which report an invalid line with
its number and text.
"""

import codecs
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path

from facepipe.errors import DatasetError
from facepipe.files import require_regular
from facepipe.images import EXTENSIONS

_SHOWN = 60
_UTF16 = codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE


@dataclass(frozen=True, slots=True)
class Line:
    """A non-empty line.

    Attributes:
        path: file of the line.
        number: counted from 1, including empty lines.
        text: without surrounding whitespace.
    """

    path: Path
    number: int
    text: str

    @property
    def where(self) -> str:
        """``FILE, line N``, the start of error messages."""
        return f"{self.path}, line {self.number}"

    def wrong(self, wanted: str) -> DatasetError:
        """The error for an invalid line; ``wanted`` describes a valid one."""
        return DatasetError(f"{self.where}: must be {wanted}, not {self.text[:_SHOWN]!r}")

    def words(self, commas: bool = False) -> list[str]:
        """The columns, separated by tabs if there are any (columns may then contain spaces), else by whitespace.

        Args:
            commas: in a line without tabs, also split at commas or semicolons.
        """
        if "\t" in self.text:
            return [word.strip() for word in self.text.split("\t")]
        for divider in ",;" if commas else "":
            if divider in self.text:
                return [word.strip() for word in self.text.split(divider)]
        return self.text.split()


def read_text(path: Path, what: str) -> str:
    """The text of a list, without byte order mark.

    Args:
        path: the file.
        what: hint for the error message if the file is missing.

    Raises:
        DatasetError: the file is missing or not text.
    """
    with _errors(path, what):
        require_regular(path)
        data = path.read_bytes()
        return data.decode(_encoding(data))


def _encoding(start: bytes) -> str:
    return "utf-16" if start.startswith(_UTF16) else "utf-8-sig"


@contextmanager
def _errors(path: Path, what: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise DatasetError(f"{path}: no such list; {what}") from error
    except OSError as error:
        raise DatasetError(f"{path}: not a readable text file") from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path}: not a readable text file; lists must be UTF-8 text") from error


def each_line(path: Path, what: str) -> Iterator[Line]:
    """Iterate over the non-empty lines in constant memory; arguments and errors as `read_text`."""
    with _errors(path, what):
        require_regular(path)
        # Opened once, because a pipe can be read only once. Universal newlines, not str.splitlines: names may contain
        # the other separators of Unicode.
        with path.open("rb") as file, TextIOWrapper(file, _encoding(file.peek(2))) as lines:
            for number, text in enumerate(lines, 1):
                if line := text.strip():
                    yield Line(path, number, line)


def read_lines(path: Path, what: str) -> list[Line]:
    """All lines of `each_line`."""
    return list(each_line(path, what))


def whole(text: str) -> int | None:
    """Parse an integer, also if written as a float (``3``, ``3.0``, ``3.000000``); None if it is not an integer."""
    text = text.strip().strip("\"'")
    match = re.fullmatch(r"([+-]?[0-9]+)(?:\.0*)?", text)
    return int(match[1]) if match else None


def image_path(text: str) -> str:
    """A path from a list with ``/`` as separator, without quotes and leading ``./``."""
    path = re.sub(r"/+", "/", text.strip().strip("\"'").replace("\\", "/"))
    while path.startswith("./"):
        path = path[2:]
    return path


def is_image(text: str) -> bool:
    """Whether a word has the extension of an image."""
    return Path(image_path(text)).suffix.lower() in EXTENSIONS


def without_extension(path: str) -> str:
    """A path with ``/`` as separator, without an image extension; other dots are part of the name."""
    path = path.replace("\\", "/")
    stem, dot, extension = path.rpartition(".")
    return stem if dot and f".{extension.lower()}" in EXTENSIONS else path


def without_headings(lines: Sequence[Line], is_data: "Sequence[bool]") -> tuple[Sequence[Line], str]:
    """Drop a header line; returns the remaining lines and a note.

    Args:
        lines: the lines of the list.
        is_data: whether each of the first two lines can be data; the first is a header if only the second can.
    """
    if len(lines) > 1 and not is_data[0] and is_data[1]:
        return lines[1:], f"{lines[0].where}: {lines[0].text[:_SHOWN]!r} taken as a header"
    return lines, ""
