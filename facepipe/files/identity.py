"""Who is in a picture, determined by its folder: one rule for every command.

A name that no folder can have, such as ``AC/DC``, is that of a folder in which ``/`` is written ``%2F``.
"""

import re
from collections.abc import Sequence
from pathlib import PurePath, PurePosixPath

from facepipe.parameters import parameter
from facepipe.tables import counted

TOP = 1
"""The folder directly below the given root."""

_PARTS = frozenset(("train", "training", "test", "testing", "val", "valid", "validation", "dev", "eval", "query"))
_FEW = 5
_ESCAPED = re.compile("%((?:25)*)(2F|00|2E)")


def folder_of(person: str) -> str:
    """The name of a folder that stands for a person: ``AC%2FDC`` for ``AC/DC``, most others as they are."""
    kept = _ESCAPED.sub(r"%25\1\2", person)
    if kept in (".", ".."):
        return kept.replace(".", "%2E")
    return kept.replace("/", "%2F").replace("\0", "%00")


def person_of_folder(name: str) -> str:
    """The person for whom a folder stands: the inverse of `folder_of`."""
    return _ESCAPED.sub(lambda found: f"%{found[1][2:]}{found[2]}" if found[1] else chr(int(found[2], 16)), name)


def identity_of(path: str | PurePath, depth: int = TOP) -> str:
    """The name of the folder that identifies the person.

    Args:
        path: of the picture, relative to the given root.
        depth: level of the folder, counted from the root; 1 is the top one. Everything below belongs to the person.

    Returns:
        The name as it is written, or the one that `folder_of` encoded; empty if the picture is not in a folder of that
        depth.
    """
    folders = PurePath(path).parts[:-1]
    return person_of_folder(folders[depth - 1]) if len(folders) >= depth else ""


class Layout:
    """Records the folders of pictures, and points out if the people seem to be one level further down.

    Args:
        depth: level of the folders that identify people.

    Attributes:
        outside: pictures that are not in a folder of that depth.
    """

    def __init__(self, depth: int = TOP) -> None:
        self.outside = 0
        self._depth = depth
        self._flat = False
        self._people: set[str] = set()
        self._below: set[str] = set()

    def identity(self, path: str | PurePath) -> str:
        """`identity_of`, and record it."""
        folders = PurePath(path).parts[:-1]
        name = identity_of(path, self._depth)
        self.outside += not name
        if name:
            self._people.add(name)
            self._flat |= len(folders) == self._depth
            self._below.update(folders[self._depth : self._depth + 1])
        return name

    def without_identity(self) -> str:
        """One line if some pictures have no identity while others do, or a depth was set; otherwise empty."""
        if not self.outside or (not self._people and self._depth == TOP):
            return ""
        return f"{counted(self.outside, 'photo')} without an identity: in no folder at depth {self._depth}"

    def remark(self) -> str:
        """One line if the folders look as if another depth were meant; otherwise empty."""
        if self._flat or not self._below:
            return ""
        parts = {name.casefold() for name in self._people} <= _PARTS
        if not parts and (len(self._people) > _FEW or len(self._below) <= 2 * len(self._people)):
            return ""
        names = ", ".join(sorted(self._people)[:_FEW])
        further = counted(len(self._below), "folder")
        deeper = parameter("identity_depth", self._depth + 1)
        return f"taken for people: {names}, with {further} below; if those are the people, use {deeper}"


def common_root(paths: Sequence[str]) -> str:
    """The folder that contains the people's folders, for paths whose root is not known.

    The longest common prefix, without the folder of a single person.
    """
    folders = [PurePosixPath(path).parts[:-1] for path in paths]
    first, last = min(folders, default=()), max(folders, default=())
    shared = next((n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    # If pictures are in the common folder itself, it is the person's.
    if shared and any(len(each) == shared for each in folders):
        shared -= 1
    return str(PurePosixPath(*first[:shared])) if shared else ""


def below(path: str, roots: Sequence[str]) -> PurePosixPath:
    """``path`` relative to the innermost of ``roots`` that contains it, with at least one folder.

    For a picture directly in a root, the result includes the root's own name: the root is then a person's folder.
    """
    pure = PurePosixPath(path)
    holding = [root for root in roots if pure.is_relative_to(root)]
    relative = pure.relative_to(max(holding, key=lambda root: len(PurePosixPath(root).parts))) if holding else pure
    return relative if len(relative.parts) > 1 else PurePosixPath(*pure.parts[-2:])
