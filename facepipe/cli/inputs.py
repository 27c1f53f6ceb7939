"""The pictures that a command reads, and the account of them: what was left out, and what should be known of them."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facepipe.cli.screen import note
from facepipe.errors import FacepipeError
from facepipe.files import PassedOver
from facepipe.shown import shown
from facepipe.tables import counted

if TYPE_CHECKING:
    import numpy as np

    from facepipe.images import Picture

strict_option = click.option(
    "--strict",
    is_flag=True,
    help="Refuse damaged pictures, and exit with 1 if anything was left out or could not be read.",
)

pages_option = click.option(
    "--pages",
    type=click.Choice(["first", "all"]),
    default="first",
    show_default=True,
    help="Which pages to read of a file with several pages, frames or pictures; those after the first are called "
    "FILE@2 ...",
)

_EXPECTED = frozenset(
    {"system folder", "hidden file", "hidden folder", "other file", "file reached twice", "folder reached twice"}
)
"""Reasons to pass over what nobody would have counted."""
_PAGES = re.compile(r"(page|frame|picture) \d+ of (\d+) read")


class Inputs:
    """Lists pictures below paths, each once, and keeps the account of a run.

    Args:
        strict: pictures damaged inside are refused, and whatever was left out gives exit code 1.
        pages: ``first`` page, frame or picture of a file, or ``all``, each as an image of its own.

    Attributes:
        passed: what the walk left out.
        remarks: path → what should be known of the picture.
        unreadable: how many could not be read.
    """

    def __init__(self, strict: bool = False, pages: str = "first") -> None:
        self.strict, self.pages = strict, pages
        self.passed = PassedOver()
        self.remarks: dict[str, tuple[str, ...]] = {}
        self.unreadable = 0

    def images(self, *roots: Path) -> Iterator[Path]:
        """The images below all roots in one walk."""
        for _, path in self.images_by_root(*roots):
            yield path

    def images_by_root(self, *roots: Path) -> Iterator[tuple[Path, Path]]:
        """`images`, each with its root."""
        found = self._files_by_root(*roots)
        if self.pages == "first":
            return found
        from facepipe.images import each_page

        return ((root if path != root else page, page) for root, path in found for page in each_page(path))

    def _files_by_root(self, *roots: Path) -> Iterator[tuple[Path, Path]]:
        from facepipe.images import is_collection, list_images_by_root

        if not any(map(is_collection, roots)):
            return list_images_by_root(*roots, passed=self.passed)
        from facepipe.datasets.photos import list_photos_by_root

        return list_photos_by_root(*roots, passed=self.passed)

    @property
    def read(self) -> "Callable[[Path, int], np.ndarray | Picture] | None":
        """Reads a picture in place of the usual reader; None where the usual one will do."""
        if not self.strict:
            return None
        from facepipe.images import read_image

        return lambda path, max_pixels: read_image(path, max_pixels, strict=True)

    def see(self, path: object, remarks: tuple[str, ...] = (), readable: bool = True) -> None:
        """Take note of a picture."""
        remarks = tuple(filter(self.concerns, remarks))
        if remarks:
            self.remarks[str(path)] = remarks
        self.unreadable += not readable

    def concerns(self, remark: str) -> bool:
        """Whether a remark is to be told: that one page was read is none where all are."""
        return self.pages != "all" or not _PAGES.match(remark)

    def to_dict(self) -> dict[str, Any]:
        """``remarks`` by path and ``passed_over`` by reason, for JSON."""
        return {"remarks": {path: list(each) for path, each in self.remarks.items()}} | self.passed_over()

    def passed_over(self) -> dict[str, Any]:
        """``passed_over`` alone, where each picture's remarks are told with it."""
        return {"passed_over": self.passed.to_dict()}

    def nothing(self, root: Path) -> FacepipeError:
        """The error where there is no image at all: it tells what is there instead."""
        instead = f" ({self.passed.line()})" if self.passed else ""
        return FacepipeError(f"{root}: no images in it{instead}; name image files or folders that hold some")

    def tell(self) -> None:
        """One line on stderr for each kind of remark, and one for what was passed over."""
        for line in self._lines():
            note(line, style="yellow")
        if self.passed:
            note(self.passed.line())

    def end(self, left_out: int = 0) -> None:
        """End a command that did its work.

        Args:
            left_out: pictures that were read and yet gave nothing.

        Raises:
            Exit: with 1, where it is strict and something is missing.
        """
        if self.strict and (left_out or self.unreadable or self._missing()):
            raise click.exceptions.Exit(1)

    def _missing(self) -> bool:
        pages = any(_PAGES.match(remark) for remarks in self.remarks.values() for remark in remarks)
        return pages or any(reason not in _EXPECTED for reason in self.passed.counts)

    def _lines(self) -> Iterator[str]:
        kinds: dict[str, list[tuple[str, str]]] = {}
        for path, remarks in self.remarks.items():
            for remark in remarks:
                kinds.setdefault(_kind(remark), []).append((path, remark))
        for kind, cases in kinds.items():
            path, remark = cases[0]
            if len(cases) == 1:
                yield f"{shown(path)}: {remark}"
            else:
                yield f"{counted(len(cases), 'photo')} {kind}, such as {shown(path)}: {remark}"


def _kind(remark: str) -> str:
    """What remarks of one sort have in common, to be said of several photos."""
    if _PAGES.match(remark):
        return "of several pages or frames, of which one was read"
    return re.split(r"[(:;,\d]", remark, maxsplit=1)[0].strip()
