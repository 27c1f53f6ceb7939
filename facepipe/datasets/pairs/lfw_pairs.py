"""Pairs of images in folds, and LFW's lists of them."""

import hashlib
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from facepipe.datasets.lines import (
    Line,
    image_path,
    is_image,
    read_lines,
    whole,
    without_extension,
    without_headings,
)
from facepipe.errors import DatasetError
from facepipe.tables import counted

_FOLDS = 10


@dataclass(frozen=True)
class Pairs:
    """Labelled pairs of images.

    Attributes:
        names: the distinct images, as paths without extension relative to the data set.
        left, right: int64 N, indices into ``names``.
        same: bool N, whether both show the same person.
        fold: int64 N, 0-based.
    """

    names: tuple[str, ...]
    left: np.ndarray
    right: np.ndarray
    same: np.ndarray
    fold: np.ndarray

    def __len__(self) -> int:
        return len(self.same)

    @property
    def folds(self) -> int:
        """Number of folds."""
        return int(self.fold.max()) + 1

    @property
    def unordered(self) -> np.ndarray:
        """int64 N, a number of each pair that does not depend on the order of its images."""
        return np.minimum(self.left, self.right) * len(self.names) + np.maximum(self.left, self.right)

    def take(self, mask: np.ndarray) -> "Pairs":
        """The pairs selected by ``mask``; names are unchanged."""
        return Pairs(self.names, self.left[mask], self.right[mask], self.same[mask], self.fold[mask])

    @property
    def digest(self) -> str:
        """First 16 hex digits of a SHA-256 over names, pairs, labels and folds, recorded in results."""
        digest = hashlib.sha256("\0".join(self.names).encode("utf-8", "surrogateescape"))
        for values in (self.left, self.right, self.same, self.fold):
            digest.update(np.ascontiguousarray(values, "<i8").tobytes())
        return digest.hexdigest()[:16]


class PairRow(NamedTuple):
    """A pair in a list: two names without extension, whether they show the same person, fold from 0, and its line."""

    a: str
    b: str
    same: bool
    fold: int
    line: Line | None = None


def make_pairs(rows: Iterable[PairRow | tuple[str, str, bool, int]]) -> Pairs:
    """`Pairs` from (name, name, same, fold); names are numbered by first appearance.

    Rows are consumed one by one and stored as numbers, since lists can have millions.

    Raises:
        DatasetError: a pair with lines is listed both as genuine and as impostor.
    """
    index: dict[str, int] = {}
    files: dict[Path, int] = {}
    columns = left, right, same, fold, file, number = [array("q") for _ in range(6)]
    for row in map(PairRow._make, ((*row, None)[:5] for row in rows)):
        left.append(index.setdefault(row.a, len(index)))
        right.append(index.setdefault(row.b, len(index)))
        same.append(row.same)
        fold.append(row.fold)
        file.append(-1 if row.line is None else files.setdefault(row.line.path, len(files)))
        number.append(0 if row.line is None else row.line.number)
    table = [np.frombuffer(column, np.int64) if column else np.zeros(0, np.int64) for column in columns]
    pairs = Pairs(tuple(index), table[0], table[1], table[2].astype(bool), table[3])
    _require_consistent(pairs, tuple(files), *table[4:])
    return pairs


def _require_consistent(pairs: Pairs, files: Sequence[Path], file: np.ndarray, number: np.ndarray) -> None:
    """Refuse pairs listed both as genuine and as impostor; rows without a line (file −1) are not checked."""
    listed = np.flatnonzero(file >= 0)
    _, first, group = np.unique(pairs.unordered[listed], return_index=True, return_inverse=True)
    same, is_self = pairs.same[listed], (pairs.left == pairs.right)[listed]
    wrong = np.flatnonzero((same != same[first][group]) | (is_self & ~same))
    if not len(wrong):
        return
    row, before = listed[wrong[0]], listed[first[group[wrong[0]]]]
    where, where_before = (f"{files[file[one]]}, line {number[one]}" for one in (row, before))
    a, b = (pairs.names[side[row]] for side in (pairs.left, pairs.right))
    if a == b and not pairs.same[row]:
        raise DatasetError(f"{where}: {a} with itself as two people; correct or remove the line")
    message = f"{a} and {b} are {_people(pairs.same[row])} here, but {_people(pairs.same[before])} in {where_before}"
    raise DatasetError(f"{where}: {message}; remove one of the two")


def _people(same: bool) -> str:
    return "one person" if same else "two people"


def duplicate_notes(pairs: Pairs) -> tuple[str, ...]:
    """Notes on duplicates and self-pairs, such as ``2 pairs are listed twice``; order within a pair is ignored."""
    _, first = np.unique(pairs.unordered, return_index=True)
    again = np.setdiff1d(np.arange(len(pairs)), first)
    self_pairs = np.flatnonzero(pairs.left == pairs.right)
    notes = []
    if len(again):
        a, b = (pairs.names[side[again[0]]] for side in (pairs.left, pairs.right))
        notes.append(f"{_count(again)} repeated and counted again, such as {a} and {b}")
    if len(self_pairs):
        notes.append(f"{_count(self_pairs)} of an image with itself, such as {pairs.names[pairs.left[self_pairs[0]]]}")
    return tuple(notes)


def _count(rows: np.ndarray) -> str:
    return f"{len(rows)} pair{' is' if len(rows) == 1 else 's are'}"


def assign_folds(same: np.ndarray, folds: int = 10) -> np.ndarray:
    """Assign folds, int64 N, to a list without: equal consecutive runs of genuine and of impostor pairs.

    There are at most as many folds as pairs of the rarer class, and a single one if a class is missing.
    """
    folds = max(1, min(folds, int(same.sum()), int((~same).sum())))
    fold = np.zeros(len(same), np.int64)
    for kind in (same, ~same):
        count = int(kind.sum())
        fold[kind] = np.arange(count) * folds // max(count, 1)
    return fold


def read_lfw_pairs(path: Path, any_layout: bool = False) -> Pairs:
    """Read LFW's ``pairs.txt`` (view 2), Kaggle's ``pairs.csv``, or a copy without the header.

    The header gives the folds and the pairs per half; each fold lists its genuine pairs ``name i j``, then its
    impostor pairs ``name i name j``, separated by tabs, spaces or commas. Image i of a person is ``name/name_%04d``;
    a file name instead of i is ``name/file``. Without the header, or with column names, a fold is a run of genuine
    pairs and the run of as many impostor pairs after it; the CSV has ten.

    Args:
        path: the list.
        any_layout: also read lists of a single fold, such as those of view 1 (``pairsDevTest.txt``), and lists in any
            order, with folds from `assign_folds`.

    Raises:
        DatasetError: missing, malformed or contradictory; gives the file and the line.
    """
    lines = read_lines(path, "LFW's is pairs.txt of view 2")
    header, listed = _header(lines, path, any_layout)
    pairs = [(line, *_pair(line)) for line in listed]
    folds, half = header or _blocks([same for _, _, same in pairs])
    if folds < 2 and not any_layout:
        raise DatasetError(
            f"{path}: has no header such as '10 300', and its genuine and impostor pairs do not alternate in equal "
            "blocks, at least two of each; for lists in another order see 'facepipe eval pairs'"
        )
    rows = []
    for number, (line, names, same) in enumerate(pairs):
        if folds > 1 and same != (number % (2 * half) < half):
            raise DatasetError(f"{line.where}: genuine and impostor pairs are out of order")
        rows.append(PairRow(*names, same, number // (2 * half) if folds > 1 else 0, line))
    made = make_pairs(rows)
    return made if folds > 1 else replace(made, fold=assign_folds(made.same))


def is_lfw_pair(line: Line) -> bool:
    """Whether a line is ``name i j`` or ``name i name j``, and nothing else."""
    words = line.words(commas=True)
    numbers = len(words) in (3, 4) and None not in (whole(words[1]), whole(words[-1]))
    return numbers and not any(is_image(word) or whole(word) is not None for word in words[:-1:2])


def _header(lines: list[Line], path: Path, any_layout: bool) -> tuple[tuple[int, int] | None, Sequence[Line]]:
    """Folds and pairs per half if a header declares them, and the lines of the pairs, as many as it declares."""
    if not lines:
        raise DatasetError(f"{path}, line 1: must be the number of folds and of pairs, such as '10 300'")
    words = lines[0].words(commas=True)
    if words[:2] == ["name", "imagenum1"]:
        if (len(lines) - 1) % (2 * _FOLDS) or len(lines) == 1:
            raise DatasetError(f"{path}: {counted(len(lines) - 1, 'pair')} cannot be split into {_FOLDS} equal folds")
        return (_FOLDS, (len(lines) - 1) // (2 * _FOLDS)), lines[1:]
    counts = [whole(word) for word in words]
    if None in counts or len(counts) > 2:
        listed, _ = without_headings(lines, [_names_images(line) for line in lines[:2]])
        if not _names_images(listed[0]) or (listed is not lines and any(count is not None for count in counts)):
            raise DatasetError(f"{path}, line 1: must be the number of folds and of pairs, such as '10 300'")
        return None, listed
    return _declared(lines, path, [count or 0 for count in counts], any_layout)


def _declared(
    lines: list[Line], path: Path, counts: list[int], any_layout: bool
) -> tuple[tuple[int, int], Sequence[Line]]:
    if len(counts) == 1 and not any_layout:
        raise DatasetError(f"{path}, line 1: no number of folds; this is a list of view 1, use that of view 2")
    folds, half = counts if len(counts) == 2 else (1, counts[0])
    if folds < len(counts) or half < 1:
        raise DatasetError(f"{path}, line 1: needs at least two folds and one pair, not {folds} and {half}")
    count = 2 * half * folds
    if len(lines) - 1 < count:
        where = f"{path}: ends at line {lines[-1].number}"
        raise DatasetError(f"{where}, but its header declares {counted(count, 'pair')}, and it has {len(lines) - 1}")
    if len(lines) - 1 > count:
        raise DatasetError(f"{lines[1 + count].where}: more pairs than the header declares")
    return (folds, half), lines[1:]


def _blocks(same: Sequence[bool]) -> tuple[int, int]:
    """Folds and pairs per half of pairs that alternate in equal blocks, genuine first; otherwise one fold."""
    half = next((number for number, one in enumerate(same) if not one), 0)
    regular = half > 0 and len(same) % (2 * half) == 0
    if regular and all(one == (number % (2 * half) < half) for number, one in enumerate(same)):
        return len(same) // (2 * half), half
    return 1, 1


def _names_images(line: Line) -> bool:
    words = line.words(commas=True)
    return len(words) > 2 and all(whole(word) is not None or is_image(word) for word in (words[1], words[-1]))


def _pair(line: Line) -> tuple[tuple[str, str], bool]:
    words = line.words(commas=True)
    while words and not words[-1]:  # Kaggle's rows of three columns end in a comma
        words.pop()
    if len(words) not in (3, 4):
        raise line.wrong("'name i j' or 'name i name j'")
    if len(words) == 4 and words[0] == words[2]:
        raise DatasetError(f"{line.where}: two people with the same name, {words[0]!r}; a genuine pair is 'name i j'")
    first, second = _image(words[0], words[1]), _image(words[-2] if len(words) == 4 else words[0], words[-1])
    if first is None or second is None:
        raise DatasetError(f"{line.where}: {words[1]!r} or {words[-1]!r} is not an image number, in {line.text!r}")
    return (first, second), len(words) == 3


def _image(name: str, which: str) -> str | None:
    """The path of an image of a person without extension, by its number or its file; None where it is neither."""
    number = whole(which)
    if number is not None and number > 0:
        return f"{name}/{name}_{number:04d}"
    return f"{name}/{without_extension(image_path(which))}" if number is None and is_image(which) else None
