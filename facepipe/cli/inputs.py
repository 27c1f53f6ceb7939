"""The images that a command reads, and the report on them: ignored files, and remarks."""

import re
from collections.abc import Callable, Iterable, Iterator
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
    help="Reject damaged images, and exit with 1 if anything was left out or unreadable.",
)

pages_option = click.option(
    "--pages",
    type=click.Choice(["first", "all"]),
    default="first",
    show_default=True,
    help="Pages to read of a file with several pages, frames or pictures; those after the first are named "
    "FILE@2 ...",
)

_EXPECTED = frozenset(
    {"system folder", "hidden file", "hidden folder", "other file", "file reached twice", "folder reached twice"}
)
"""Reasons for ignoring files that are not expected to be counted."""
_PAGES = re.compile(r"(page|frame|picture) \d+ of (\d+) read")


class Inputs:
    """Lists images below paths, each once, and records what happens to them.

    Args:
        strict: reject images with damaged data, and exit with 1 if anything was left out.
        pages: ``first`` page, frame or picture of a file, or ``all``, each as a separate image.

    Attributes:
        passed: files ignored by the walk.
        remarks: path → notes on the image.
        unreadable: number of unreadable images.
    """

    def __init__(self, strict: bool = False, pages: str = "first") -> None:
        self.strict, self.pages = strict, pages
        self.passed = PassedOver()
        self.remarks: dict[str, tuple[str, ...]] = {}
        self.unreadable = 0

    def images(self, *roots: Path) -> Iterator[Path]:
        """The images below all roots, in one walk."""
        for _, path in self.images_by_root(*roots):
            yield path

    def images_by_root(self, *roots: Path) -> Iterator[tuple[Path, Path]]:
        """Like `images`, each with its root."""
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
        """A reader to use instead of the default one; None means the default."""
        if not self.strict:
            return None
        from facepipe.images import read_image

        return lambda path, max_pixels: read_image(path, max_pixels, strict=True)

    def see(self, path: object, remarks: tuple[str, ...] = (), readable: bool = True) -> None:
        """Record an image."""
        remarks = tuple(filter(self.concerns, remarks))
        if remarks:
            self.remarks[str(path)] = remarks
        self.unreadable += not readable

    def concerns(self, remark: str) -> bool:
        """Whether to report a remark; "one page was read" is irrelevant if all pages are."""
        return self.pages != "all" or not _PAGES.match(remark)

    def to_dict(self) -> dict[str, Any]:
        """``remarks`` by path and ``passed_over`` by reason, for JSON."""
        return {"remarks": {path: list(each) for path, each in self.remarks.items()}} | self.passed_over()

    def passed_over(self) -> dict[str, Any]:
        """Only ``passed_over``, for output with remarks per image."""
        return {"passed_over": self.passed.to_dict()}

    def nothing(self, root: Path) -> FacepipeError:
        """The error for a path without images; lists what is there instead."""
        instead = f" ({self.passed.line()})" if self.passed else ""
        return FacepipeError(f"{root}: contains no images{instead}; give image files or folders of images")

    def report(self) -> None:
        """Print one line on stderr for each kind of remark, and one for ignored files."""
        for line in self._lines():
            note(line, style="yellow")
        if self.passed:
            note(self.passed.line())

    def end(self, left_out: int = 0) -> None:
        """End a command that has done its work.

        Args:
            left_out: images that were read but gave no result.

        Raises:
            Exit: with 1, if strict and something is missing.
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
    """The common part of remarks of one kind, for a line about several photos."""
    if _PAGES.match(remark):
        return "with several pages or frames, of which one was read"
    return re.split(r"[(:;,\d]", remark, maxsplit=1)[0].strip()


def mirrored(found: Iterable[tuple[Path, Path]], folder: Path) -> dict[Path, Path]:
    """Image → a unique name below ``folder``, without extension, in the image's subfolder.

    Args:
        found: root and image; an image that is itself a root goes directly into ``folder``. Of several images with the
            same name, the later ones keep their extension in it.
        folder: need not exist.
    """
    taken: set[Path] = set()
    stems: dict[Path, Path] = {}
    for root, path in found:
        stem = folder / (path.parent.relative_to(root) if root != path else "") / path.stem
        while stem in taken:
            stem = stem.with_name(stem.name + (path.suffix or "_"))
        taken.add(stem)
        stems[path] = stem
    return stems
