"""Finding files below folders, for all commands and data sets."""

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from facepipe.errors import FacepipeError
from facepipe.files.passed_over import PassedOver

SYSTEM_FOLDERS = frozenset(
    name.casefold()
    for name in (
        "@eaDir", "@tmp", "@SynoResource", "#recycle", "#snapshot",  # Synology
        "@Recycle", "@Recently-Snapshot", "@__thumb",  # QNAP
        "$RECYCLE.BIN", "RECYCLER", "System Volume Information",  # Windows
        "__MACOSX", "Network Trash Folder", "Temporary Items",  # macOS
        "lost+found",  # Linux
    )
)  # fmt: skip
"""Folders that systems create for themselves: bins, thumbnails, snapshots. Compared case-insensitively."""

FileNode = tuple[int, int]


class FolderError(FacepipeError):
    """A requested folder does not exist or cannot be listed."""


@dataclass
class _State:
    wanted: frozenset[str]
    kinds: Mapping[str, str]
    system: bool
    passed: PassedOver
    folders: set[FileNode] = field(default_factory=set)
    files: set[FileNode] = field(default_factory=set)


def walk(
    roots: Sequence[str | os.PathLike[str]],
    wanted: frozenset[str],
    passed: PassedOver,
    kinds: Mapping[str, str] | None = None,
    system: bool = False,
) -> Iterator[tuple[Path, Path]]:
    """Yield the files below ``roots`` with the wanted extensions, each with its root.

    Each file is yielded once, however often it is reached.
    A folder's files come first, sorted by name, then its subfolders in turn. Links are followed; folders that were
    already walked are skipped, which also ends loops. Memory holds only one folder's names at a time, plus
    the identities of the folders seen and of files with several names. A root that is a file yields
    itself whatever its extension; if there are several roots, broken links and special files are skipped.

    Args:
        roots: files and folders.
        wanted: extensions in lower case, with the dot.
        passed: counts what is skipped: system folders, hidden files and folders, folders that cannot be listed,
            special files (pipes, sockets, devices), broken links, files reached twice, and files of other kinds.
        kinds: extension → kind of an unwanted file, such as ``video``; all others are an ``other file``.
        system: include system folders.

    Raises:
        FolderError: a root does not exist or cannot be listed.
    """
    state = _State(wanted, kinds or {}, system, passed)
    for name in roots:
        root = Path(name)
        try:
            mode = root.stat().st_mode
        except OSError as error:
            if len(roots) > 1 and root.is_symlink():
                passed.add("broken link", root)
                continue
            raise FolderError(f"{root}: {_reason(error)}") from error
        if len(roots) > 1 and (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
            passed.add("special file", root)
        elif stat.S_ISDIR(mode):
            try:
                os.scandir(root).close()
            except OSError as error:
                raise FolderError(f"{root}: cannot be listed ({error.strerror})") from error
            yield from ((root, file) for file in _folder(root, state))
        elif _first_time(root.stat(), root, state, linked=True):
            yield root, root


def _reason(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file or folder; check the path"
    return f"cannot be read ({error.strerror})"


def _folder(folder: Path, state: _State) -> Iterator[Path]:
    try:
        status = folder.stat()
        with os.scandir(folder) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
    except OSError:
        state.passed.add("folder that cannot be read", folder)
        return
    node = status.st_dev, status.st_ino
    if node in state.folders:
        state.passed.add("folder reached twice", folder)
        return
    state.folders.add(node)
    folders = []
    for entry in entries:
        if entry.name.startswith("."):
            if not _is_facepipes_own(entry.name):
                state.passed.add("hidden folder" if _is_folder(entry) else "hidden file", entry.path)
        elif _is_folder(entry):
            folders.append(entry)
        elif _is_wanted(entry, state):
            yield Path(entry.path)
    for entry in folders:
        if entry.name.casefold() in SYSTEM_FOLDERS and not state.system:
            state.passed.add("system folder", entry.path)
        else:
            yield from _folder(Path(entry.path), state)


def _is_facepipes_own(name: str) -> bool:
    """Whether a hidden file or folder is facepipe's own: a lock, a record or a temporary file."""
    return name == ".facepipe" or name.endswith((".lock", ".tmp"))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, which `_is_wanted` reports
        return False


def _is_wanted(entry: os.DirEntry[str], state: _State) -> bool:
    extension = Path(entry.name).suffix.lower()
    try:
        status = entry.stat()
    except OSError:
        if extension in state.wanted:
            state.passed.add("broken link" if entry.is_symlink() else "file that cannot be read", entry.path)
        return False
    if not stat.S_ISREG(status.st_mode):
        state.passed.add("special file", entry.path)
        return False
    if extension not in state.wanted:
        state.passed.add(state.kinds.get(extension, "other file"), entry.path)
        return False
    return _first_time(status, Path(entry.path), state, entry.is_symlink())


def _first_time(status: os.stat_result, path: Path, state: _State, linked: bool) -> bool:
    """Whether a file has not been reached before under another name.

    A file with a single name is reached once, since its folder is walked once; only the others are remembered.
    """
    node = status.st_dev, status.st_ino
    several = linked or status.st_nlink > 1
    if node in state.files or (linked and _was_walked(path, state)):
        state.passed.add("file reached twice", path)
        return False
    if several:
        state.files.add(node)
    return True


def _was_walked(path: Path, state: _State) -> bool:
    """Whether the real folder of a linked file was already walked, and the file with it."""
    real = path.resolve()
    if real.name.startswith(".") or real.suffix.lower() not in state.wanted:
        return False
    try:
        status = real.parent.stat()
    except OSError:
        return False
    return (status.st_dev, status.st_ino) in state.folders and not _being_walked(path, real)


def _being_walked(path: Path, real: Path) -> bool:
    """Whether ``path`` is a link in the same folder as its file and sorts before it: the file is then still to come."""
    return path.absolute().parent == real.parent and path.name < real.name
