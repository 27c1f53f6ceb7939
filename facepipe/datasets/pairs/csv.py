"""The user's own list of pairs: a CSV file."""

import csv
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np

from facepipe.datasets.pairs.lfw_pairs import Pairs, deal_folds, make_pairs, read_lines
from facepipe.errors import DatasetError
from facepipe.images import EXTENSIONS

_TRUTH = {"1": True, "true": True, "yes": True, "same": True, "0": False, "false": False, "no": False, "diff": False}
_MOST_FOLDS = 10_000


def read_pairs_csv(path: Path) -> Pairs:
    """Read ``a,b,same`` or ``a,b,same,fold``, with these names in the first line, in any order.

    ``a`` and ``b`` are paths relative to the images, with or without extension; ``same`` is 1 or 0 (true, yes,
    same; false, no, diff); ``fold`` a whole number, counted from 0 or 1. Other columns are passed over.
    Without ``fold`` the pairs are dealt into ten folds by `deal_folds`.

    Raises:
        DatasetError: missing or malformed, a fold without pairs, or two images that differ by extension only;
            names the file and the line.
    """
    lines = read_lines(path, "a pairs list is a CSV with the columns a, b, same and perhaps fold")
    table = csv.DictReader(lines, skipinitialspace=True)
    columns = table.fieldnames or []
    lost = [name for name in ("a", "b", "same") if name not in columns]
    if lost:
        raise DatasetError(f"{path}, line 1: no column {lost[0]!r}; the first line must be a,b,same or a,b,same,fold")
    pairs = make_pairs(_rows(table, path, "fold" in columns))
    if not len(pairs):
        raise DatasetError(f"{path}: no pairs in it")
    if "fold" not in columns:
        return Pairs(pairs.names, pairs.left, pairs.right, pairs.same, deal_folds(pairs.same))
    return _from_zero(pairs, path)


def _rows(table: "csv.DictReader[str]", path: Path, folds: bool) -> Iterator[tuple[str, str, bool, int]]:
    originals: dict[str, str] = {}
    for row in table:
        where = f"{path}, line {table.line_num}"
        same = _TRUTH.get((row["same"] or "").strip().lower())
        if same is None:
            raise DatasetError(f"{where}: same must be 1 or 0, not {row['same']!r}")
        a, b = (_name(row[side] or "", originals, where) for side in ("a", "b"))
        yield a, b, same, _fold(row["fold"] or "", where) if folds else 0


def _name(path: str, originals: dict[str, str], where: str) -> str:
    path = path.strip().replace("\\", "/").removeprefix("./")
    if not path:
        raise DatasetError(f"{where}: a path is empty")
    if path.startswith("/") or ".." in PurePosixPath(path).parts:
        raise DatasetError(f"{where}: {path} must be relative to the folder of images")
    stem, dot, extension = path.rpartition(".")
    name = stem if dot and f".{extension.lower()}" in EXTENSIONS else path
    if originals.setdefault(name, path) != path:
        raise DatasetError(f"{where}: {path} and {originals[name]} differ by extension only; rename one")
    return name


def _fold(text: str, where: str) -> int:
    try:
        fold = int(text)
    except ValueError as error:
        raise DatasetError(f"{where}: fold must be a whole number, not {text!r}") from error
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
