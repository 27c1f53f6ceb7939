"""Entry points of installed packages."""

import sys
from collections.abc import Set
from functools import lru_cache
from typing import TYPE_CHECKING

from facepipe.errors import FacepipeError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint, EntryPoints


def entry_points_of(what: str, group: str, taken: Set[str], error: type[FacepipeError]) -> "dict[str, EntryPoint]":
    """Name → entry point of a group.

    Args:
        what: kind of entry, for messages.
        group: such as ``facepipe.losses``.
        taken: names that no package may add.
        error: exception class to raise.

    Raises:
        FacepipeError: a package adds a name that already exists.
    """
    found: dict[str, EntryPoint] = {}
    for point in _all(tuple(sys.path)).select(group=group):
        # An imported module has already registered its entry; a clash would have been refused then.
        exists = point.name in taken and point.module not in sys.modules
        if exists or (point.name in found and found[point.name].value != point.value):
            raise error(f"package {package_of(point)} adds {what} {point.name!r}, which exists already; uninstall it")
        found[point.name] = point
    return found


def package_of(point: "EntryPoint") -> str:
    """The package that an entry point comes from."""
    return "unknown" if point.dist is None else str(point.dist.name)


@lru_cache(maxsize=1)
def _all(_: tuple[str, ...]) -> "EntryPoints":
    """Entry points of all installed packages, read once for all registries."""
    from importlib.metadata import entry_points

    return entry_points()  # type: ignore[return-value]
