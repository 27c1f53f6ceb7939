"""Name → entry, registered by modules as they are imported."""

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
    """Name → entry, in order of registration, those of folders sorted by name; entries of installed packages come last
    and are loaded on first use.

    Args:
        what: kind of entry, such as ``loss``, for messages.
        group: of the entry points, such as ``facepipe.losses``.
        error: exception class to raise.
        folders: packages whose modules register entries.
    """

    def __init__(
        self, what: str, group: str, error: type[FacepipeError] = ModelError, folders: tuple[str, ...] = ()
    ) -> None:
        self.what, self.group, self._error, self._folders = what, group, error, folders
        self._entries: dict[str, Entry] = {}
        self._aliases: dict[str, str] = {}

    def add(self, name: str, entry: Entry, alias: str | None = None) -> None:
        """Register an entry under a name and, optionally, an alias.

        Raises:
            FacepipeError: a name already exists.
        """
        for new in (name, alias):
            if new in self._entries or new in self._aliases:
                raise self._error(f"{self.what} {new!r} exists already; choose another name")
        self._entries[name] = entry
        if alias is not None:
            self._aliases[alias] = name

    def remove(self, name: str) -> None:
        """Remove an entry and its aliases, so that it can be redefined."""
        del self._entries[name]
        self._aliases = {alias: target for alias, target in self._aliases.items() if target != name}

    def names(self) -> list[str]:
        """All names, without aliases; loads nothing from other packages."""
        registered = self._own_names()
        return [*registered, *(name for name in self._installed if name not in registered)]

    def __iter__(self) -> Iterator[str]:
        """Iterate over `names`."""
        return iter(self.names())

    def items(self) -> Iterator[tuple[str, Entry]]:
        """Names with their entries.

        Raises:
            FacepipeError: an installed package's entry cannot be loaded.
        """
        return ((name, self[name]) for name in self.names())

    def name_of(self, name: str) -> str:
        """The name that an alias stands for; other names unchanged."""
        return self._aliases.get(name, name)

    def __getitem__(self, name: str) -> Entry:
        """The entry of a name or alias.

        Raises:
            FacepipeError: the name is unknown (the message suggests the nearest), or an installed package's entry
                cannot be loaded.
        """
        registered, name = self._own_names(), self.name_of(name)
        # Packages are searched only for other names: that takes as long as processing a photo.
        if name not in registered:
            installed = self._installed
            if name not in installed:
                hint = did_you_mean(name, [*self.names(), *self._aliases])
                raise self._error(f"unknown {self.what} {name!r}; {hint}")
            self._load(installed[name])
        return self._entries[name]

    def __contains__(self, name: str) -> bool:
        return self.name_of(name) in self._own_names() or name in self._installed

    def checked(self, name: str) -> str:
        """A known name, unchanged; for pydantic, which adds the location to the error.

        Raises:
            ValueError: there is no such entry.
        """
        if name not in self:
            raise ValueError(f"must be one of {', '.join(self.names())}")
        return name

    def _own_names(self) -> list[str]:
        """Names of registered entries, in order, after importing the folders."""
        for folder in self._folders:
            for module in iter_modules(import_module(folder).__path__, f"{folder}."):
                import_module(module.name)
        if self._folders:
            # The order of imports depends on the caller.
            self._entries = dict(sorted(self._entries.items(), key=lambda entry: _with_numbers(entry[0])))
        self._folders = ()
        return list(self._entries)

    def _load(self, point: "EntryPoint") -> None:
        where = f"{self.what} {point.name!r} of package {package_of(point)}"
        try:
            loaded = point.load()
        except Exception as error:
            raise self._error(f"{where} cannot be loaded ({error}); fix or uninstall the package") from error
        self._take_in(point.name, loaded)
        if point.name not in self._entries:
            raise self._error(f"{where} is not registered by {point.value}; fix or uninstall the package")

    def _take_in(self, name: str, loaded: object) -> None:
        """Store the object of an entry point; here a module, which has already registered its entry."""

    @cached_property
    def _installed(self) -> "dict[str, EntryPoint]":
        return entry_points_of(self.what, self.group, {*self._own_names(), *self._aliases}, self._error)


def _with_numbers(name: str) -> list[tuple[int, str]]:
    """Sort key of names: ``net4`` before ``net10``."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
