"""What each command reads and writes, declared where it is defined, and compared before any work."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import wraps
from inspect import signature
from pathlib import Path
from typing import Any, TypeVar

from facepipe.cli import options
from facepipe.errors import FacepipeError
from facepipe.files import require_apart

F = TypeVar("F", bound=Callable[..., Any])

PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
PLOTS = (".png", ".jpg", ".svg", ".pdf")
TABLES = (".parquet", ".pq")


def _nobodys(_: Path) -> bool:
    return False


@dataclass(frozen=True)
class Output:
    """A parameter that names what a command writes.

    Attributes:
        parameter: its name.
        suffixes: extensions of files that can be written; without any, a folder, or a file or a folder, whose files
            the command compares itself (`require_apart`) once it knows their names.
        ours: whether a file that is there was made by this command.
        add_with: the command that adds to such a file, where there is one.
    """

    parameter: str
    suffixes: tuple[str, ...] = ()
    ours: Callable[[Path], bool] = _nobodys
    add_with: str = ""


@dataclass(frozen=True)
class Door:
    """What a command reads and writes, by the names of its parameters."""

    reads: tuple[str, ...]
    writes: tuple[Output, ...]


def door(*writes: Output, reads: tuple[str, ...] = ()) -> Callable[[F], F]:
    """Declare a command's inputs and outputs, give it ``--overwrite``, and compare them before it runs.

    It stands nearest to the function. A command with a parameter ``overwrite`` is given it.
    """
    declared = Door(reads, writes)

    def decorate(command: F) -> F:
        wants = "overwrite" in signature(command).parameters

        @wraps(command)
        def wrapped(**words: Any) -> Any:
            overwrite = bool(words["overwrite"]) if wants else bool(words.pop("overwrite"))
            _compare(declared, words, overwrite)
            return command(**words)

        decorated: Any = options.overwrite(wrapped)
        decorated.door = declared
        return decorated

    return decorate


def _compare(declared: Door, words: dict[str, Any], overwrite: bool) -> None:
    inputs = [path for name in declared.reads for path in _paths(words[name])]
    outputs = []
    for output in declared.writes:
        for path in _paths(words[output.parameter]):
            if output.suffixes:
                _check_suffix(path, output.suffixes)
                outputs.append(path)
                require_apart([path], inputs, overwrite, output.ours, output.add_with)
            else:
                require_apart([], inputs, folders=(path,) if path.is_dir() or not path.suffix else ())
    require_apart(outputs, (), overwrite=True)


def _paths(value: Any) -> Iterator[Path]:
    if isinstance(value, str | Path):
        yield Path(value)
    elif value is not None:
        for each in value:
            yield from _paths(each)


def _check_suffix(path: Path, suffixes: tuple[str, ...]) -> None:
    if path.suffix.lower() not in suffixes:
        kind = path.suffix or "a name without an extension"
        raise FacepipeError(f"{path}: cannot write {kind}; the name must end in {' or '.join(suffixes)}")
