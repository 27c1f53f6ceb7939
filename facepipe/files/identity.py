"""Who is in a picture, determined by its folder: one rule for every command."""

from collections.abc import Sequence
from pathlib import PurePath, PurePosixPath

from facepipe.parameters import parameter

TOP = 1
"""The folder directly below the given root."""

_PARTS = frozenset(("train", "training", "test", "testing", "val", "valid", "validation", "dev", "eval", "query"))
_FEW = 5


def identity_of(path: str | PurePath, depth: int = TOP) -> str:
    """The name of the folder that identifies the person.

    Args:
        path: of the picture, relative to the given root.
        depth: level of the folder, counted from the root; 1 is the top one. Everything below belongs to the person.

    Returns:
        The name as it is written; empty if the picture is not in a folder of that depth.
    """
    folders = PurePath(path).parts[:-1]
    return folders[depth - 1] if len(folders) >= depth else ""


class Layout:
    """Records the folders of pictures, and points out if the people seem to be one level further down.

    Args:
        depth: level of the folders that identify people.
    """

    def __init__(self, depth: int = TOP) -> None:
        self._depth = depth
        self._flat = False
        self._people: set[str] = set()
        self._below: set[str] = set()

    def identity(self, path: str | PurePath) -> str:
        """`identity_of`, and record it."""
        folders = PurePath(path).parts[:-1]
        name = identity_of(path, self._depth)
        if name:
            self._people.add(name)
            self._flat |= len(folders) == self._depth
            self._below.update(folders[self._depth : self._depth + 1])
        return name

    def remark(self) -> str:
        """One line if the folders look as if another depth were meant; otherwise empty."""
        if self._flat or not self._below:
            return ""
        parts = {name.casefold() for name in self._people} <= _PARTS
        if not parts and (len(self._people) > _FEW or len(self._below) <= 2 * len(self._people)):
            return ""
        names = ", ".join(sorted(self._people)[:_FEW])
        return (
            f"taken for people: {names}, with {len(self._below)} folders below; if those are the people, say "
            f"{parameter('identity_depth', self._depth + 1)}"
        )


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
