"""Fingerprints of files: whether inputs are still those from which a result was made."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Mark:
    """The state of a file.

    Attributes:
        size: bytes.
        mtime: nanoseconds.
        digest: BLAKE2b of the contents, 32 hexadecimal digits; empty if it was not computed.
    """

    size: int
    mtime: int
    digest: str = ""

    def of(self, digest: str) -> "Mark":
        """The same mark with this digest."""
        return Mark(self.size, self.mtime, digest)

    def at(self, mtime: int) -> "Mark":
        """The same mark with another time."""
        return Mark(self.size, mtime, self.digest)


UNMARKED = Mark(-1, -1)
"""The mark of a file about which nothing is known."""


def mark_file(path: Path, digest: bool = False) -> Mark:
    """The mark of a file as it is now.

    Raises:
        OSError: the file does not exist or cannot be read.
    """
    status = path.stat()
    return Mark(status.st_size, status.st_mtime_ns, digest_of(path) if digest else "")


def digest_of(path: Path) -> str:
    """BLAKE2b of a file's contents, 32 hexadecimal digits."""
    code = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            code.update(block)
    return code.hexdigest()


def digest_of_bytes(data: bytes) -> str:
    """`digest_of` for contents in memory."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


@dataclass(frozen=True)
class Changes:
    """Current inputs compared with earlier ones, by name.

    Attributes:
        new: did not exist before.
        changed: different contents.
        vanished: no longer exist.
        touched: different time, same contents.
        same: unchanged.
    """

    new: tuple[str, ...]
    changed: tuple[str, ...]
    vanished: tuple[str, ...]
    touched: tuple[str, ...]
    same: tuple[str, ...]

    def __bool__(self) -> bool:
        """Whether any result is out of date."""
        return bool(self.new or self.changed or self.vanished)

    def counts(self) -> dict[str, int]:
        """The numbers of new, changed, vanished and touched inputs."""
        return {name: len(getattr(self, name)) for name in ("new", "changed", "vanished", "touched")}

    def line(self) -> str:
        """Such as ``3 new, 1 changed, 2 vanished``; empty if nothing is out of date."""
        counts = [(len(self.new), "new"), (len(self.changed), "changed"), (len(self.vanished), "vanished")]
        return ", ".join(f"{count} {what}" for count, what in counts if count)


def compare_marks(
    then: Mapping[str, Mark], now: Mapping[str, Mark], contents: Callable[[str], str] | None = None
) -> Changes:
    """Compare two listings.

    Args:
        then: name → mark when the results were made.
        now: name → current mark.
        contents: name → digest of the current contents, called if size and digest do not decide whether a file with
            another time has changed; without it such a file counts as changed.
    """
    changed: list[str] = []
    touched: list[str] = []
    same: list[str] = []
    groups = {"changed": changed, "touched": touched, "same": same}
    for name in now.keys() & then.keys():
        groups[compare_mark(name, then[name], now[name], contents)].append(name)
    return Changes(
        tuple(sorted(now.keys() - then.keys())),
        tuple(sorted(changed)),
        tuple(sorted(then.keys() - now.keys())),
        tuple(sorted(touched)),
        tuple(sorted(same)),
    )


def compare_mark(name: str, then: Mark, now: Mark, contents: Callable[[str], str] | None = None) -> str:
    """``same``, ``touched`` or ``changed``, see `compare_marks`."""
    if then.size != now.size:
        return "changed"
    if then.digest and now.digest:
        if then.digest != now.digest:
            return "changed"
        return "same" if then.mtime == now.mtime else "touched"
    if then.mtime == now.mtime:
        return "same"
    if then.digest and contents is not None and contents(name) == then.digest:
        return "touched"
    return "changed"
