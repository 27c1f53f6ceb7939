"""Name → entry, filled by modules as they are imported."""

import re
from collections.abc import Iterator
from functools import cached_property
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Generic, TypeVar

from facepipe.errors import FacepipeError, ModelError
from facepipe.nearest import did_you_mean
from facepipe.registry.installed import entry_points_of, package_of

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

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
        own = self._own_names()
        return [*own, *(name for name in self._installed if name not in own)]

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
        own, name = self._own_names(), self.name_of(name)
        # Packages are looked through for other names alone: that takes as long as the work on a photo.
        if name not in own:
            installed = self._installed
            if name not in installed:
                hint = did_you_mean(name, [*self.names(), *self._aliases])
                raise self._error(f"unknown {self.what} {name!r}; {hint}")
            self._load(installed[name])
        return self._entries[name]

    def __contains__(self, name: str) -> bool:
        return self.name_of(name) in self._own_names() or name in self._installed

    def checked(self, name: str) -> str:
        """A name that there is, itself; for pydantic, which adds where it stands.

        Raises:
            ValueError: there is no such entry.
        """
        if name not in self:
            raise ValueError(f"must be one of {', '.join(self.names())}")
        return name

    def _own_names(self) -> list[str]:
        """Names of what is entered, in their order, once the folders are read."""
        for folder in self._folders:
            for module in iter_modules(import_module(folder).__path__, f"{folder}."):
                import_module(module.name)
        if self._folders:
            # Which file was imported first is the caller's history.
            self._entries = dict(sorted(self._entries.items(), key=lambda entry: _with_numbers(entry[0])))
        self._folders = ()
        return list(self._entries)

    def _load(self, point: "EntryPoint") -> None:
        where = f"{self.what} {point.name!r} of package {package_of(point)}"
        try:
            loaded = point.load()
        except Exception as error:
            raise self._error(f"{where} cannot be loaded ({error}); mend or uninstall the package") from error
        self._take_in(point.name, loaded)
        if point.name not in self._entries:
            raise self._error(f"{where} is not registered by {point.value}; mend or uninstall the package")

    def _take_in(self, name: str, loaded: object) -> None:
        """What an entry point leads to: here a module, which has registered its entry."""

    @cached_property
    def _installed(self) -> "dict[str, EntryPoint]":
        return entry_points_of(self.what, self.group, {*self._own_names(), *self._aliases}, self._error)


def _with_numbers(name: str) -> list[tuple[int, str]]:
    """By which names are sorted: ``net4`` before ``net10``."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]

