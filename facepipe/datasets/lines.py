"""Lists as people have them: the one reader under all that are lines of text.

It is tolerant about form (a mark at the beginning, UTF-16 of spreadsheets, line ends, tabs or blanks, empty lines,
backslashes, numbers that pandas wrote as 1.0) and leaves the meaning to those who call it: what a line cannot mean is
an error that names the line and shows its text.
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
    """A line that is not empty.

    Attributes:
        path: of the file.
        number: counted from 1, empty lines included.
        text: without blanks at both ends.
    """

    path: Path
    number: int
    text: str

    @property
    def where(self) -> str:
        """``FILE, line N``, as errors begin."""
        return f"{self.path}, line {self.number}"

    def wrong(self, wanted: str) -> DatasetError:
        """The error of a line that means nothing: ``wanted`` is what it must be."""
        return DatasetError(f"{self.where}: must be {wanted}, not {self.text[:_SHOWN]!r}")

    def words(self, commas: bool = False) -> list[str]:
        """Its columns: between tabs where it has any (names may then hold blanks), else between blanks.

        Args:
            commas: whether commas and semicolons divide too, where it has no tab.
        """
        if "\t" in self.text:
            return [word.strip() for word in self.text.split("\t")]
        for divider in ",;" if commas else "":
            if divider in self.text:
                return [word.strip() for word in self.text.split(divider)]
        return self.text.split()


def read_text(path: Path, what: str) -> str:
    """The text of a list, without a mark at its beginning.

    Args:
        path: of the file.
        what: said in the error of a file that is not there: which one was wanted.

    Raises:
        DatasetError: the file is missing or no text.
    """
    with _errors(path, what):
        require_regular(path)
        data = path.read_bytes()
        return data.decode(_encoding(data))


def _encoding(begin: bytes) -> str:
    return "utf-16" if begin.startswith(_UTF16) else "utf-8-sig"


@contextmanager
def _errors(path: Path, what: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise DatasetError(f"{path}: no such list; {what}") from error
    except OSError as error:
        raise DatasetError(f"{path}: not a readable text file") from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path}: not a readable text file; a list is UTF-8 text") from error


def each_line(path: Path, what: str) -> Iterator[Line]:
    """The lines that are not empty, one by one, so that memory does not grow with the list; arguments and errors as
    `read_text`."""
    with _errors(path, what):
        require_regular(path)
        # Opened once, since a shell's pipe gives its bytes once. Lines end where Python's text files say, not at what
        # else str.splitlines takes for an end: names may hold it.
        with path.open("rb") as file, TextIOWrapper(file, _encoding(file.peek(2))) as lines:
            for number, text in enumerate(lines, 1):
                if line := text.strip():
                    yield Line(path, number, line)


def read_lines(path: Path, what: str) -> list[Line]:
    """All of `each_line`."""
    return list(each_line(path, what))


def whole(text: str) -> int | None:
    """A whole number, whatever program wrote it (``3``, ``3.0``, ``3.000000``); None where it is none."""
    text = text.strip().strip("\"'")
    match = re.fullmatch(r"([+-]?[0-9]+)(?:\.0*)?", text)
    return int(match[1]) if match else None


def image_path(text: str) -> str:
    """A path of a list with ``/`` between its parts, without quotes and ``./`` around it."""
    path = re.sub(r"/+", "/", text.strip().strip("\"'").replace("\\", "/"))
    while path.startswith("./"):
        path = path[2:]
    return path


def is_image(text: str) -> bool:
    """Whether a word ends as the name of an image does."""
    return Path(image_path(text)).suffix.lower() in EXTENSIONS


def without_extension(path: str) -> str:
    """A path with ``/`` and without the extension of an image; other dots are part of the name."""
    path = path.replace("\\", "/")
    stem, dot, extension = path.rpartition(".")
    return stem if dot and f".{extension.lower()}" in EXTENSIONS else path


def without_headings(lines: Sequence[Line], is_data: "Sequence[bool]") -> tuple[Sequence[Line], str]:
    """The lines without a first one that holds headings, and a note on it.

    Args:
        lines: of the list.
        is_data: whether each of the first two lines could be data; headings are what could not while the next line
            could.
    """
    if len(lines) > 1 and not is_data[0] and is_data[1]:
        return lines[1:], f"{lines[0].where}: {lines[0].text[:_SHOWN]!r} taken for headings"
    return lines, ""
