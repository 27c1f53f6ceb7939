"""One door for outputs: nothing that is written may replace what is read, or what somebody else made."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from facepipe.errors import FacepipeError
from facepipe.files.writing import require_writable


class OutputError(FacepipeError):
    """An output would replace an input, or a file that facepipe did not make for this purpose."""


def require_apart(
    outputs: Iterable[Path],
    inputs: Iterable[Path],
    overwrite: bool = False,
    ours: Callable[[Path], bool] = lambda _: False,
) -> None:
    """Refuse, before any work, outputs that would do harm; ask of each whether it can be written.

    Compared are resolved paths and, where both exist, device and inode, so that links and hard links are found.

    Args:
        outputs: files that will be written, those derived from inputs included.
        inputs: files that are read, and folders below which anything is read.
        overwrite: whether files that are there may be replaced; inputs never are.
        ours: whether a file that is there was made by facepipe for this very purpose, and may be replaced without
            being told so.

    Raises:
        OutputError: an output is an input, or is there already; the line names both and says what to do.
        OSError: an output is a folder, or cannot be written.
    """
    read = list(inputs)
    names = {os.path.realpath(path): path for path in read}
    nodes = {node: path for path in read if (node := _node(path)) is not None}
    for output in outputs:
        taken = names.get(os.path.realpath(output)) or nodes.get(_node(output) or (-1, -1))
        if taken is not None:
            raise OutputError(f"{output}: would replace {_what(output, taken)}; choose another name for the output")
        if output.exists() and not output.is_dir() and not overwrite and not ours(output):
            raise OutputError(f"{output}: is there already; choose another name, or replace it with --overwrite")
        require_writable(output)


def _what(output: Path, taken: Path) -> str:
    return "the input of the same name" if output == taken else f"the input {taken}"


def _node(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
