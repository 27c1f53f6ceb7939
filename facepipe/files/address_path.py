"""Paths that stand for something other than a local file."""

import sys
from pathlib import Path
from typing import Any

_Path: Any = type(Path())


class AddressPath(_Path):
    """Takes the place of a path: has a name, an extension and a folder like one, and is displayed as its address.

    Args:
        address: what it stands for.
        name: the path whose name, extension and folder it has.
    """

    address = ""

    def __new__(cls, address: str, name: str) -> "AddressPath":
        made: AddressPath = super().__new__(cls, name)
        made.address = address
        return made

    def __init__(self, _address: str, name: str) -> None:
        if sys.version_info >= (3, 12):
            super().__init__(name)

    def with_segments(self, *parts: str) -> Path:
        """Paths derived from its name are plain paths."""
        return Path(*parts)

    def __str__(self) -> str:
        return self.address or super().__str__()

    def __fspath__(self) -> str:
        return str(self)

    def as_posix(self) -> str:
        """The address."""
        return str(self)

    def __eq__(self, other: object) -> bool:
        if self.address:
            return isinstance(other, AddressPath) and self.address == other.address
        return bool(super().__eq__(other))

    def __hash__(self) -> int:
        return hash(self.address) if self.address else super().__hash__()

    def exists(self, **_: Any) -> bool:
        """Always true; whether it exists is known only when it is read."""
        return True

    def is_dir(self, **_: Any) -> bool:
        """Always false."""
        return False
