"""Things that are asked for by name: losses, networks, heads, scores and others, one `Registry` each.

A registry may have folders: every file in them registers its entries when it is imported, and all are imported when the
registry is first asked, so that a new entry is a new file and nothing else.

An installed package adds an entry through an entry point of the registry's group. The entry point has the name of
the entry, and importing what it points at registers the entry, as importing facepipe's own modules does:

    [project.entry-points."facepipe.losses"]
    my_loss = "my_package.my_loss"
"""

import re
import sys
from collections.abc import Iterator
from functools import cached_property, lru_cache
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Generic, TypeVar

from facepipe.errors import FacepipeError, ModelError
from facepipe.nearest import did_you_mean

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint, EntryPoints

Entry = TypeVar("Entry")


class Registry(Generic[Entry]):
    """Name → entry, in order of registration, those of folders by name; entries of installed packages come last and are
    loaded when asked for.

    Args:
        what: kind of entry, such as ``loss``, for messages.
        group: of the entry points, such as ``facepipe.losses``.
        error: what is raised.
        folders: packages whose modules register entries.
    """

    def __init__(
        self, what: str, group: str, error: type[FacepipeError] = ModelError, folders: tuple[str, ...] = ()
    ) -> None:
        self.what, self.group, self._error, self._folders = what, group, error, folders
        self._entries: dict[str, Entry] = {}
        self._aliases: dict[str, str] = {}

    def add(self, name: str, entry: Entry, alias: str | None = None) -> None:
        """Enter something under a name, and another name for it.

        Raises:
            FacepipeError: a name is taken.
        """
        for new in (name, alias):
            if new in self._entries or new in self._aliases:
                raise self._error(f"{self.what} {new!r} exists already; choose another name")
        self._entries[name] = entry
        if alias is not None:
            self._aliases[alias] = name

    def remove(self, name: str) -> None:
        """Take an entry and its aliases away, so that it can be defined anew."""
        del self._entries[name]
        self._aliases = {alias: own for alias, own in self._aliases.items() if own != name}

    def names(self) -> list[str]:
        """All names, without aliases; nothing of other packages is loaded for it."""
        self._read_folders()
        return [*self._entries, *(name for name in self._installed if name not in self._entries)]

    def __iter__(self) -> Iterator[str]:
        """`names`, one after the other."""
        return iter(self.names())

    def items(self) -> Iterator[tuple[str, Entry]]:
        """Names with their entries.

        Raises:
            FacepipeError: an installed package's entry cannot be loaded.
        """
        return ((name, self[name]) for name in self.names())

    def name_of(self, name: str) -> str:
        """The name itself of an alias; others as they are."""
        return self._aliases.get(name, name)

    def __getitem__(self, name: str) -> Entry:
        """The entry of a name or alias.

        Raises:
            FacepipeError: the name is unknown (the nearest known one is named), or what an installed package adds
                under it cannot be loaded.
        """
        self._read_folders()
        name = self.name_of(name)
        installed = self._installed
        if name not in self._entries:
            if name not in installed:
                hint = did_you_mean(name, [*self.names(), *self._aliases])
                raise self._error(f"unknown {self.what} {name!r}; {hint}")
            self._load(installed[name])
        return self._entries[name]

    def __contains__(self, name: str) -> bool:
        self._read_folders()
        return self.name_of(name) in self._entries or name in self._installed

    def checked(self, name: str) -> str:
        """A name that there is, itself; for pydantic, which adds where it stands.

        Raises:
            ValueError: there is no such entry.
        """
        if name not in self:
            raise ValueError(f"must be one of {', '.join(self.names())}")
        return name

    def _read_folders(self) -> None:
        for folder in self._folders:
            for module in iter_modules(import_module(folder).__path__, f"{folder}."):
                import_module(module.name)
        if self._folders:
            # Which file was imported first is the caller's history.
            self._entries = dict(sorted(self._entries.items(), key=lambda entry: _with_numbers(entry[0])))
        self._folders = ()

    def _load(self, point: "EntryPoint") -> None:
        where = f"{self.what} {point.name!r} of package {_package(point)}"
        try:
            point.load()
        except Exception as error:
            raise self._error(f"{where} cannot be loaded ({error}); mend or uninstall the package") from error
        if point.name not in self._entries:
            raise self._error(f"{where} is not registered by {point.value}; mend or uninstall the package")

    @cached_property
    def _installed(self) -> "dict[str, EntryPoint]":
        found: dict[str, EntryPoint] = {}
        for point in _entry_points(tuple(sys.path)).select(group=self.group):
            taken = point.name in self._entries or point.name in self._aliases
            if taken or (point.name in found and found[point.name].value != point.value):
                raise self._error(
                    f"package {_package(point)} adds {self.what} {point.name!r}, which exists already; uninstall it"
                )
            found[point.name] = point
        return found


@lru_cache(maxsize=1)
def _entry_points(_: tuple[str, ...]) -> "EntryPoints":
    """Those of all installed packages, which are looked through once for all registries."""
    from importlib.metadata import entry_points

    return entry_points()  # type: ignore[return-value]


def _with_numbers(name: str) -> list[tuple[int, str]]:
    """By which names are sorted: ``net4`` before ``net10``."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def _package(point: "EntryPoint") -> str:
    return "unknown" if point.dist is None else str(point.dist.name)
