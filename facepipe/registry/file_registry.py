"""A registry whose entries are the files of a folder."""

import ast
import io
import tokenize
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from keyword import iskeyword
from pkgutil import iter_modules
from typing import TypeVar

from facepipe.errors import FacepipeError, ModelError
from facepipe.registry.registry import Registry

Entry = TypeVar("Entry")


class FileRegistry(Registry[Entry]):
    """Name → entry, which is an object in the file of that name and is imported on first use.

    Args:
        what, group, error: as of `Registry`.
        folder: the package. Files whose names begin with ``_`` are not entries; a name that is a Python keyword has a
            ``_`` appended, such as ``import_``.
        attribute: name of the object in each file; empty: the file's name.
        first: names listed first, in this order; the others follow alphabetically.
    """

    def __init__(
        self,
        what: str,
        group: str,
        error: type[FacepipeError] = ModelError,
        *,
        folder: str,
        attribute: str = "",
        first: tuple[str, ...] = (),
    ) -> None:
        super().__init__(what, group, error)
        self._folder, self._attribute, self._first = folder, attribute, first

    def line(self, name: str) -> str:
        """The first docstring line of an entry's file, or an empty string. The file is not executed.

        Raises:
            FacepipeError: there is no such entry, or its package lacks the file.
        """
        if name in self._files:
            return _first_line(self._module(name))
        if name not in self._installed:
            self[name]
        try:
            return _first_line(self._installed[name].module)
        except ImportError:
            return ""

    def lines(self) -> dict[str, str]:
        """Name → `line`, in the order of `names`."""
        return {name: self.line(name) for name in self.names()}

    def __getitem__(self, name: str) -> Entry:
        """As in `Registry`; installed packages are searched only for names that are not files of the folder."""
        if name not in self._entries and name in self._files:
            self._entries[name] = getattr(import_module(self._module(name)), self._attribute or name)
        return self._entries[name] if name in self._entries else super().__getitem__(name)

    @cached_property
    def _files(self) -> list[str]:
        modules = [module.name for module in iter_modules(import_module(self._folder).__path__)]
        found = sorted(name.removesuffix("_") for name in modules if not name.startswith("_"))
        known = [name for name in self._first if name in found]
        return known + [name for name in found if name not in known]

    def _module(self, name: str) -> str:
        return f"{self._folder}.{name}_" if iskeyword(name) else f"{self._folder}.{name}"

    def _own_names(self) -> list[str]:
        return [*self._files, *(name for name in self._entries if name not in self._files)]

    def _take_in(self, name: str, loaded: object) -> None:
        self._entries[name] = loaded  # type: ignore[assignment]


def _first_line(module: str) -> str:
    """The first line of a module's docstring, read from its source without executing it."""
    spec = find_spec(module)
    source = getattr(spec.loader, "get_source", lambda _: None)(module) if spec is not None else None
    for token in tokenize.generate_tokens(io.StringIO(source or "").readline):
        if token.type == tokenize.STRING:
            return str(ast.literal_eval(token.string)).strip().partition("\n")[0]
        if token.type not in (tokenize.COMMENT, tokenize.NL, tokenize.ENCODING):
            break
    return ""
