"""Finding the rows of listed images in embeddings."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from facepipe.datasets.lines import without_extension
from facepipe.errors import DatasetError
from facepipe.tables import counted

if TYPE_CHECKING:
    from facepipe.embedding import Embeddings


def find_rows(embeddings: "Embeddings", names: Sequence[str], leave: bool = False) -> np.ndarray:
    """The row of each name, int64.

    A name matches a path that ends in it, ignoring the extension and second faces (``#1``); so it does not
    matter in which folder the images were when they were embedded.

    Args:
        embeddings: with paths.
        names: paths without extension, such as ``Ann_Lee/Ann_Lee_0001``; of any depth.
        leave: whether names may be missing; their rows are then −1.

    Raises:
        DatasetError: a name is missing (all names, with ``leave``), or two paths end in one.
    """
    depths = sorted({name.count("/") + 1 for name in names})
    paths = [without_extension(path) for path in embeddings.paths]
    rows: dict[str, int] = {}
    twice: set[str] = set()
    for row, path in enumerate(paths):
        for tail in {_tail(path, depth) for depth in depths}:
            if paths[rows.setdefault(tail, row)] != path:
                twice.add(tail)
    missing = [name for name in names if name not in rows]
    if missing and (not leave or len(missing) == len(names)):
        raise DatasetError(
            f"{missing[0]}: {reason_of(embeddings, missing[0])} "
            f"({len(missing)} of {counted(len(names), 'image')} missing)"
        )
    for name in names if twice else ():
        if name in twice:
            raise DatasetError(f"{name}: two of the embedded images end in this name; embed one folder of the dataset")
    return np.array([rows.get(name, -1) for name in names], np.int64)


def _tail(path: str, depth: int) -> str:
    return "/".join(path.split("/")[-depth:])


def reason_of(embeddings: "Embeddings", name: str) -> str:
    """The reason why a name has no row."""
    for path, text in embeddings.failed:
        if _tail(without_extension(path), name.count("/") + 1) == name:
            return text
    return "not in the embeddings"
