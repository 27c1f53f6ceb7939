"""Lists of pairs in CSV format."""

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

import numpy as np

from facepipe.datasets.lines import Line, each_line, image_path, whole, without_extension
from facepipe.datasets.pairs.lfw_pairs import PairRow, Pairs, assign_folds, make_pairs
from facepipe.errors import DatasetError
from facepipe.parameters import parameter

_TRUTH = {
    "1": True, "true": True, "yes": True, "same": True,
    "0": False, "false": False, "no": False, "diff": False,
    "different": False,
}  # fmt: skip
_MOST_FOLDS = 10_000


def read_pairs_csv(path: Path) -> Pairs:
    """Read ``a,b,same`` or ``a,b,same,fold``, with this header, columns in any order.

    ``a`` and ``b`` are paths relative to the images, with or without extension; ``same`` is 1 or 0 (true, yes,
    same; false, no, diff); ``fold`` is an integer, counted from 0 or 1. Other columns are ignored. Columns are
    separated by commas, semicolons or tabs. Without ``fold`` the pairs are split into ten folds by `assign_folds`.

    Raises:
        DatasetError: missing or malformed, a fold without pairs, two images that differ only by extension, or a pair
            that is listed both as genuine and as impostor; gives the file and the line.
    """
    lines = each_line(path, "a pairs list is a CSV with the columns a, b, same and optionally fold")
    first = next(lines, None)
    if first is None:
        raise DatasetError(f"{path}: has no pairs")
    divider = max(",;\t", key=first.text.count)
    columns = [name.casefold() for name in _cells(first, divider)]
    missing = [name for name in ("a", "b", "same") if name not in columns]
    if missing:
        without = f"for a list without a header use {parameter('form', 'lines', 'format')}"
        message = f"the first line must be a,b,same or a,b,same,fold; {without}"
        raise DatasetError(f"{first.where}: no column {missing[0]!r} in {first.text[:60]!r}; {message}")
    folds = "fold" in columns
    pairs = make_pairs(_rows(lines, divider, columns, folds))
    if not len(pairs):
        raise DatasetError(f"{path}: has no pairs")
    if not folds:
        return Pairs(pairs.names, pairs.left, pairs.right, pairs.same, assign_folds(pairs.same))
    return _from_zero(pairs, path)


def _cells(line: Line, divider: str) -> list[str]:
    row = next(csv.reader([line.text], delimiter=divider, skipinitialspace=True), [])
    return [cell.strip() for cell in row]


def _rows(lines: Iterable[Line], divider: str, columns: list[str], folds: bool) -> Iterator[PairRow]:
    originals: dict[str, str] = {}
    for line in lines:
        row = dict(zip(columns, _cells(line, divider), strict=False))
        same = truth(row.get("same", ""))
        if same is None:
            raise DatasetError(f"{line.where}: same must be 1 or 0, not {row.get('same', '')!r}, in {line.text[:60]!r}")
        a, b = (listed_name(row.get(side, ""), originals, line.where) for side in ("a", "b"))
        yield PairRow(a, b, same, _fold(row.get("fold", ""), line.where) if folds else 0, line)


def truth(text: str) -> bool | None:
    """Parse a word of a list: whether two images show the same person; None if it is neither."""
    number = whole(text)
    return _TRUTH.get(text.strip().strip("\"'").casefold() if number is None else str(number))


def listed_name(text: str, originals: dict[str, str], where: str) -> str:
    """The name of an image in a list, without extension.

    Args:
        text: as in the list.
        originals: name → path of previous images, to which this one is added.
        where: file and line, for error messages.

    Raises:
        DatasetError: empty, outside of the images' folder, or different from another one only by extension.
    """
    path = image_path(text)
    if not path:
        raise DatasetError(f"{where}: a path is empty")
    if path.startswith("/") or ".." in PurePosixPath(path).parts:
        raise DatasetError(f"{where}: {path} must be relative to the folder of images")
    name = without_extension(path)
    if originals.setdefault(name, path).casefold() != path.casefold():
        raise DatasetError(f"{where}: {path} and {originals[name]} differ only by extension; rename one")
    return name


def _fold(text: str, where: str) -> int:
    fold = whole(text)
    if fold is None:
        raise DatasetError(f"{where}: fold must be an integer, not {text!r}")
    if not 0 <= fold <= _MOST_FOLDS:
        raise DatasetError(f"{where}: fold {fold} is out of range; count folds from 0 or 1")
    return fold


def _from_zero(pairs: Pairs, path: Path) -> Pairs:
    fold = pairs.fold - pairs.fold.min()
    counts = np.bincount(fold)
    if not counts.all():
        missing = int(counts.argmin() + pairs.fold.min())
        raise DatasetError(f"{path}: fold {missing} has no pairs; number the folds without gaps")
    return Pairs(pairs.names, pairs.left, pairs.right, pairs.same, fold)
