"""The user's own list of pairs: a CSV file."""

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

import numpy as np

from facepipe.datasets.lines import Line, each_line, image_path, whole, without_extension
from facepipe.datasets.pairs.lfw_pairs import PairRow, Pairs, deal_folds, make_pairs
from facepipe.errors import DatasetError
from facepipe.parameters import parameter

_TRUTH = {
    "1": True, "true": True, "yes": True, "same": True,
    "0": False, "false": False, "no": False, "diff": False,
    "different": False,
}  # fmt: skip
_MOST_FOLDS = 10_000


def read_pairs_csv(path: Path) -> Pairs:
    """Read ``a,b,same`` or ``a,b,same,fold``, with these names in the first line, in any order.

    ``a`` and ``b`` are paths relative to the images, with or without extension; ``same`` is 1 or 0 (true, yes,
    same; false, no, diff); ``fold`` a whole number, counted from 0 or 1. Other columns are passed over. Columns are
    divided by commas, semicolons or tabs. Without ``fold`` the pairs are dealt into ten folds by `deal_folds`.

    Raises:
        DatasetError: missing or malformed, a fold without pairs, two images that differ by extension only, or a pair
            that stands there as one person's and as two people's; names the file and the line.
    """
    lines = each_line(path, "a pairs list is a CSV with the columns a, b, same and perhaps fold")
    first = next(lines, None)
    if first is None:
        raise DatasetError(f"{path}: no pairs in it")
    divider = max(",;\t", key=first.text.count)
    columns = [name.casefold() for name in _cells(first, divider)]
    lost = [name for name in ("a", "b", "same") if name not in columns]
    if lost:
        without = f"a list without headings is {parameter('form', 'lines', 'format')}"
        message = f"the first line must be a,b,same or a,b,same,fold; {without}"
        raise DatasetError(f"{first.where}: no column {lost[0]!r} in {first.text[:60]!r}; {message}")
    folds = "fold" in columns
    pairs = make_pairs(_rows(lines, divider, columns, folds))
    if not len(pairs):
        raise DatasetError(f"{path}: no pairs in it")
    if not folds:
        return Pairs(pairs.names, pairs.left, pairs.right, pairs.same, deal_folds(pairs.same))
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
    """Whether a word of a list says that two images are of one person; None where it says neither."""
    number = whole(text)
    return _TRUTH.get(text.strip().strip("\"'").casefold() if number is None else str(number))


def listed_name(text: str, originals: dict[str, str], where: str) -> str:
    """The name of an image of a list, without extension.

    Args:
        text: as the list has it.
        originals: name → path of those before, to which this one is added.
        where: file and line, for the error.

    Raises:
        DatasetError: empty, outside of the images' folder, or different from another one by extension only.
    """
    path = image_path(text)
    if not path:
        raise DatasetError(f"{where}: a path is empty")
    if path.startswith("/") or ".." in PurePosixPath(path).parts:
        raise DatasetError(f"{where}: {path} must be relative to the folder of images")
    name = without_extension(path)
    if originals.setdefault(name, path).casefold() != path.casefold():
        raise DatasetError(f"{where}: {path} and {originals[name]} differ by extension only; rename one")
    return name


def _fold(text: str, where: str) -> int:
    fold = whole(text)
    if fold is None:
        raise DatasetError(f"{where}: fold must be a whole number, not {text!r}")
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
