"""What each command reads and writes, declared where it is defined, and compared before any work."""

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


_EMBED = "make it with 'facepipe embed IMAGES -o {path}'", TABLES
_BUILD = "make a gallery with 'facepipe gallery build DIR {path}'", TABLES
_ADVICE: dict[str, tuple[str, tuple[str, ...]]] = {
    "store": _EMBED,
    "embeddings": _EMBED,
    "strangers": _EMBED,
    "gallery": _BUILD,
    "galleries": _BUILD,
    "lists": ("it belongs to the protocol's lists", ()),
    "files": ("make it with 'facepipe eval ... --json > {path}'", ()),
    "others": ("make it with 'facepipe eval risk ... --json > {path}'", ()),
}
"""Parameter → what to do about a file that is missing, and the extensions that the command named there writes."""


def _nobodys(_: Path) -> bool:
    return False


def _itself(path: Path) -> tuple[Path, ...]:
    return (path,)


@dataclass(frozen=True)
class Output:
    """A parameter that names what a command writes.

    Attributes:
        parameter: its name.
        suffixes: extensions of files that can be written; without any, a folder, or a file or a folder, whose files
            the command compares itself (`require_apart`) once it knows their names.
        ours: whether a file that is there was made by this command.
        add_with: the command that adds to such a file, where there is one.
        stands_for: what is written where this is named, if not that itself: files, or folders.
        grows: the parameter of inputs of which the output may be one: they are added to it.
        changes: the file is read, changed and written; it is there.
        changed_with: the parameter, a flag, with which a file that is there is changed and not replaced.
        shared: the command itself holds a lock, for as long as it changes what is there.
        files: extensions by which a name means a file, where a folder may be named too.
    """

    parameter: str
    suffixes: tuple[str, ...] = ()
    ours: Callable[[Path], bool] = _nobodys
    add_with: str = ""
    stands_for: Callable[[Path], tuple[Path, ...]] = _itself
    grows: str = ""
    changes: bool = False
    changed_with: str = ""
    shared: bool = False
    files: tuple[str, ...] = ()

    def is_folder(self, path: Path) -> bool:
        """Whether ``path`` stands for a folder: where either may be named, one that is there, or has no extension."""
        if self.suffixes:
            return False
        return not self.files or path.is_dir() or not path.suffix


@dataclass(frozen=True)
class Door:
    """What a command reads and writes, by the names of its parameters.

    Whatever it reads must exist, but for what is in ``optional``; of what is in ``walks``, all pictures below a folder
    are read. What is in ``keeps`` is used again by a later run, which has to see whether its inputs are still the same;
    ``cache`` stands for facepipe's cache.
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
    """Declare a command's inputs and outputs, and compare them before it runs.

    It stands above decorators that put parameters together, so that it sees them as they are given. A command that
    writes files, or has a parameter ``overwrite``, gets the option ``--overwrite`` unless it has one of its own.
    """
    declared = Door(reads, writes, optional, walks, keeps)

    def decorate(command: F) -> F:
        wants = "overwrite" in signature(command).parameters
        has = any("--overwrite" in option.opts for option in getattr(command, "__click_params__", ()))
        offers = wants or any(output.suffixes and not output.changes for output in writes)

        @wraps(command)
        def wrapped(**words: Any) -> Any:
            overwrite = bool(words.get("overwrite")) if wants else bool(words.pop("overwrite", False))
            _refuse_what_is_no_file(declared, words)
            _require_inputs(declared, words)
            _compare(declared, words, overwrite)
            with ExitStack() as held:
                for path, folder in _to_lock(declared, words):
                    held.enter_context(locked(path, note, folder))
                    # Another process may have made it meanwhile.
                    _compare(declared, words, overwrite)
                return command(**words)

        decorated: Any = options.overwrite(wrapped) if offers and not has else wrapped
        decorated.door = declared
        return decorated

    return decorate


def _require_inputs(declared: Door, words: dict[str, Any]) -> None:
    """A missing file is refused at once, not after a model was loaded."""
    from facepipe.images import is_there

    changed = [output.parameter for output in declared.writes if output.changes]
    for name in (*declared.reads, *changed):
        if name in declared.optional:
            continue
        for path in _paths(words[name]):
            if not is_there(path) and not _no_file(path):
                raise FacepipeError(f"{path}: no such file or folder; {_advice(name, path)}")


def _advice(name: str, path: Path) -> str:
    """What makes a file that is missing; where its name has no extension that a command writes, under one that has."""
    text, suffixes = _ADVICE.get(name, ("check the path", ()))
    fits = not suffixes or path.suffix.lower() in suffixes
    return text.format(path=path if fits else path.with_name(f"{path.stem}{suffixes[0]}"))


def _refuse_what_is_no_file(declared: Door, words: dict[str, Any]) -> None:
    """Whoever opens a named pipe waits for ever; those that a shell makes (``<(...)``) have a writer.

    Of several paths that are walked, such a one is passed over.
    """
    changed = [output.parameter for output in declared.writes if output.changes]
    for name in (*declared.reads, *changed):
        paths = list(_paths(words[name]))
        wrong = [(path, why) for path in paths if (why := _no_file(path))]
        if wrong and (name not in declared.walks or len(wrong) == len(paths)):
            path, why = wrong[0]
            raise FacepipeError(f"{path}: {why}; name a file or a folder")


def _no_file(path: Path) -> str:
    """Why a path that is there leads to no file and no folder; empty where it may."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return "a link that leads nowhere" if path.is_symlink() else ""
    if stat.S_ISSOCK(mode) or (stat.S_ISFIFO(mode) and not path.is_relative_to("/dev")):
        return "a named pipe or a socket, not a regular file"
    return ""


def _to_lock(declared: Door, words: dict[str, Any]) -> Iterator[tuple[Path, bool]]:
    """The files and folders that no other process may write at the same time; of each, whether it is a folder."""
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
    require_apart(files, read, overwrite or grows, output.ours, output.add_with)
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
    """The path that a text names, if it is not standard input, a camera or the address of a stream."""
    from facepipe.identification.video import is_camera, is_url, local_path

    path = local_path(source)
    if path != "-" and not is_camera(path) and not is_url(path):
        yield Path(path)


def _check_suffix(path: Path, suffixes: tuple[str, ...]) -> None:
    if path.suffix.lower() not in suffixes and not path.is_dir():  # a folder is told as such
        kind = path.suffix or "a name without an extension"
        raise FacepipeError(f"{path}: cannot write {kind}; the name must end in {' or '.join(suffixes)}")
