"""Declaring what each command reads and writes, and checking it before any work."""

import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import wraps
from inspect import signature
from pathlib import Path
from typing import Any, TypeVar

from facepipe.cli import options
from facepipe.cli.screen import note
from facepipe.errors import FacepipeError
from facepipe.files import locked, require_apart
from facepipe.files.address_path import AddressPath

F = TypeVar("F", bound=Callable[..., Any])

PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
FILMS = (".mp4", ".m4v", ".mov", ".mkv", ".avi")
PLOTS = (".png", ".jpg", ".svg", ".pdf")
TABLES = (".parquet", ".pq")


_EMBED = "create it with 'facepipe embed IMAGES -o {path}'", TABLES
_BUILD = "create a gallery with 'facepipe gallery build DIR {path}'", TABLES
_ADVICE: dict[str, tuple[str, tuple[str, ...]]] = {
    "store": _EMBED,
    "embeddings": _EMBED,
    "strangers": _EMBED,
    "gallery": _BUILD,
    "galleries": _BUILD,
    "lists": ("it is part of the protocol's lists", ()),
    "files": ("create it with 'facepipe eval ... --json > {path}'", ()),
    "others": ("create it with 'facepipe eval risk ... --json > {path}'", ()),
}
"""Parameter → what to do about a missing file, and the extensions that the suggested command writes."""


def _never(_: Path) -> bool:
    return False


def _itself(path: Path) -> tuple[Path, ...]:
    return (path,)


@dataclass(frozen=True)
class Output:
    """A parameter that names an output of a command.

    Attributes:
        parameter: its name.
        suffixes: extensions of files that can be written; if empty, a folder, or a file or folder, whose files
            the command checks itself (`require_apart`) once it knows their names.
        is_replaceable: whether an existing file was made by this command, and may be replaced without ``--overwrite``.
        add_with: the command that adds to such a file, if any.
        stands_for: the files or folders actually written, if different.
        grows: the parameter of inputs that may include the output, to which the others are added.
        changes: the file must exist; it is read, changed and written.
        changed_with: the flag with which an existing file is changed rather than replaced.
        shared: the command itself holds a lock while it changes the output.
        files: extensions that mark a name as a file, if a folder is possible too.
    """

    parameter: str
    suffixes: tuple[str, ...] = ()
    is_replaceable: Callable[[Path], bool] = _never
    add_with: str = ""
    stands_for: Callable[[Path], tuple[Path, ...]] = _itself
    grows: str = ""
    changes: bool = False
    changed_with: str = ""
    shared: bool = False
    files: tuple[str, ...] = ()

    def is_folder(self, path: Path) -> bool:
        """Whether ``path`` means a folder; if both are possible, when it exists as one or has no extension."""
        if self.suffixes:
            return False
        return not self.files or path.is_dir() or not path.suffix


@dataclass(frozen=True)
class Door:
    """What a command reads and writes, by the names of its parameters.

    Everything it reads must exist, except what is in ``optional``; for ``walks``, all images below a folder are read.
    Outputs in ``keeps`` are reused by later runs, which must check whether their inputs are unchanged; ``cache`` means
    facepipe's cache.
    """

    reads: tuple[str, ...]
    writes: tuple[Output, ...]
    optional: tuple[str, ...] = ()
    walks: tuple[str, ...] = ()
    keeps: tuple[str, ...] = ()


def door(
    *writes: Output,
    reads: tuple[str, ...] = (),
    optional: tuple[str, ...] = (),
    walks: tuple[str, ...] = (),
    keeps: tuple[str, ...] = (),
) -> Callable[[F], F]:
    """Declare a command's inputs and outputs, and check them before it runs.

    Must be above decorators that combine parameters, so that it sees the original ones. A command that writes files,
    or has a parameter ``overwrite``, gets the option ``--overwrite`` unless it defines one.
    """
    declared = Door(reads, writes, optional, walks, keeps)

    def decorate(command: F) -> F:
        wants = "overwrite" in signature(command).parameters
        has = any("--overwrite" in option.opts for option in getattr(command, "__click_params__", ()))
        offers = wants or any(output.suffixes and not output.changes for output in writes)

        @wraps(command)
        def wrapped(**words: Any) -> Any:
            overwrite = bool(words.get("overwrite")) if wants else bool(words.pop("overwrite", False))
            _require_regular(declared, words)
            _require_inputs(declared, words)
            _compare(declared, words, overwrite)
            with ExitStack() as held:
                for path, folder in _to_lock(declared, words):
                    held.enter_context(locked(path, note, folder))
                    # Another process may have created it meanwhile.
                    _compare(declared, words, overwrite)
                return command(**words)

        decorated: Any = options.overwrite(wrapped) if offers and not has else wrapped
        decorated.door = declared
        return decorated

    return decorate


def _require_inputs(declared: Door, words: dict[str, Any]) -> None:
    """Reject missing files at once, before a model is loaded."""
    from facepipe.images import is_there

    changed = [output.parameter for output in declared.writes if output.changes]
    for name in (*declared.reads, *changed):
        if name in declared.optional:
            continue
        for path in _paths(words[name]):
            if not is_there(path) and not _no_file(path):
                raise FacepipeError(f"{path}: no such file or folder; {_advice(name, path)}")


def _advice(name: str, path: Path) -> str:
    """How to create a missing file; if its extension is unsuitable, with one that the command writes."""
    text, suffixes = _ADVICE.get(name, ("check the path", ()))
    fits = not suffixes or path.suffix.lower() in suffixes
    return text.format(path=path if fits else path.with_name(f"{path.stem}{suffixes[0]}"))


def _require_regular(declared: Door, words: dict[str, Any]) -> None:
    """Reject named pipes, on which opening blocks forever, except those made by a shell (``<(...)``), and sockets.

    Among several walked paths such a path is skipped.
    """
    changed = [output.parameter for output in declared.writes if output.changes]
    for name in (*declared.reads, *changed):
        paths = list(_paths(words[name]))
        wrong = [(path, why) for path in paths if (why := _no_file(path))]
        if wrong and (name not in declared.walks or len(wrong) == len(paths)):
            path, why = wrong[0]
            raise FacepipeError(f"{path}: {why}; give a file or a folder")


def _no_file(path: Path) -> str:
    """Why an existing path is neither a file nor a folder; empty if it is."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return "a broken link" if path.is_symlink() else ""
    if stat.S_ISSOCK(mode) or (stat.S_ISFIFO(mode) and not path.is_relative_to("/dev")):
        return "a named pipe or a socket, not a regular file"
    return ""


def _to_lock(declared: Door, words: dict[str, Any]) -> Iterator[tuple[Path, bool]]:
    """The files and folders to lock against other processes, and whether each is a folder."""
    for output in declared.writes:
        if output.shared or output.changes or words.get(output.changed_with):
            continue
        for path in _paths(words[output.parameter]):
            folder = output.is_folder(path)
            known = folder or output.files or path.suffix.lower() in output.suffixes
            if known and not isinstance(path, AddressPath) and not (folder and path.is_file()):
                yield path, folder


def _compare(declared: Door, words: dict[str, Any], overwrite: bool) -> None:
    inputs = [path for name in declared.reads for path in _paths(words[name])]
    outputs: list[Path] = []
    for output in declared.writes:
        for path in _paths(words[output.parameter]):
            if output.suffixes:
                growing = list(_paths(words.get(output.grows)))
                changed = output.changes or bool(words.get(output.changed_with))
                outputs += _compare_file(output, path, inputs, growing, overwrite, changed)
            elif path.is_dir() or not path.suffix:
                require_apart([], inputs, folders=output.stands_for(path))
    require_apart(outputs, (), overwrite=True)


def _compare_file(
    output: Output, path: Path, inputs: list[Path], growing: list[Path], overwrite: bool, changed: bool
) -> tuple[Path, ...]:
    grows = changed or any(path.exists() and each.exists() and path.samefile(each) for each in growing)
    if not output.changes:
        _check_suffix(path, output.suffixes)
    files = output.stands_for(path)
    read = [each for each in inputs if not (grows and each in growing)]
    require_apart(files, read, overwrite or grows, output.is_replaceable, output.add_with)
    return files


def _paths(value: Any) -> Iterator[Path]:
    if isinstance(value, Path):
        yield value
    elif isinstance(value, str):
        yield from _local(value)
    elif value is not None:
        for each in value:
            yield from _paths(each)


def _local(source: str) -> Iterator[Path]:
    """The local path of a source, unless it is standard input, a camera or a stream's URL."""
    from facepipe.identification.video import is_camera, is_url, local_path

    path = local_path(source)
    if path != "-" and not is_camera(path) and not is_url(path):
        yield Path(path)


def _check_suffix(path: Path, suffixes: tuple[str, ...]) -> None:
    if path.suffix.lower() not in suffixes and not path.is_dir():  # folders have their own message
        kind = path.suffix or "a file without an extension"
        raise FacepipeError(f"{path}: cannot write {kind}; the name must end in {' or '.join(suffixes)}")
