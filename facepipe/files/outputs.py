"""The check of outputs: nothing may overwrite an input, or a file that somebody else made."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from facepipe.errors import FacepipeError
from facepipe.files.address_path import AddressPath
from facepipe.files.writing import require_regular, require_writable
from facepipe.parameters import parameter

_Node = tuple[int, int]


class OutputError(FacepipeError):
    """An output would overwrite an input, or a file that facepipe did not make for this purpose."""


def require_apart(
    outputs: Iterable[Path],
    inputs: Iterable[Path],
    overwrite: bool = False,
    is_replaceable: Callable[[Path], bool] = lambda _: False,
    add_with: str = "",
    folders: Iterable[Path] = (),
) -> None:
    """Refuse, before any work, harmful outputs, and check that each folder can be written to.

    Resolved paths are compared and, if both exist, device and inode, so that links and hard links are found.

    Args:
        outputs: files that will be written, including those with names derived from inputs.
        inputs: files that are read, and folders below which anything is read.
        overwrite: whether existing files may be replaced; inputs never are.
        is_replaceable: whether an existing file was made by facepipe for this very purpose, and may be replaced
            without ``overwrite``.
        add_with: the command that adds to such a file, if there is one.
        folders: folders into which files with names not known yet will be written; no input may be one of them.

    Raises:
        OutputError: an output is an input or another output, or exists already; the message names both and says what
            to do.
        OSError: an output is a folder, or cannot be written.
    """
    read = _Paths(inputs)
    for folder in folders:
        clash = read.same(folder)
        if clash is not None:
            raise OutputError(f"{folder}: is also read as input ({clash}); choose another folder for the output")
        if folder.exists() and not folder.is_dir():
            raise OutputError(f"{folder}: is a file, not a folder; choose another name for the output")
    targets = list(outputs)
    written: dict[str, Path] = {}
    for output in targets:
        clash = read.same(output)
        if clash is not None:
            raise OutputError(f"{output}: would replace {_named(output, clash)}; choose another name for the output")
        if not isinstance(output, AddressPath) and output.exists() and not output.is_dir():
            require_regular(output)
        twin = written.setdefault(os.path.realpath(output), output)
        if twin is not output:
            raise OutputError(f"{output}: would be written twice, also as {twin}; choose another name for one of them")
        if output.exists() and not output.is_dir() and not overwrite and not is_replaceable(output):
            instead = f"add to it with '{add_with}'" if add_with else "choose another name"
            raise OutputError(
                f"{output}: already exists; {instead}, or replace it with {parameter('overwrite', True)}"
            )
    # One per folder is enough, except for outputs that are themselves folders, which this refuses.
    for output in {(path.parent, path.is_dir()): path for path in targets}.values():
        require_writable(output)


class _Paths:
    """A set of paths that recognises each of them under any name."""

    def __init__(self, paths: Iterable[Path]) -> None:
        read = list(paths)
        self._names = {os.path.realpath(path): path for path in read}
        self._nodes = {node: path for path in read if (node := _node(path)) is not None}

    def same(self, path: Path) -> Path | None:
        """The path of the set that leads to the same file or folder, or None."""
        found = self._names.get(os.path.realpath(path))
        node = _node(path)
        return found if found is not None or node is None else self._nodes.get(node)


def _named(output: Path, clash: Path) -> str:
    return "the input of the same name" if output == clash else f"the input {clash}"


def _node(path: Path) -> _Node | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
