"""Lists of image pairs in folds."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facepipe.errors import DatasetError


@dataclass(frozen=True)
class Pairs:
    """Pairs of images with their truth.

    Attributes:
        names: the images, each once, as paths without extension relative to the dataset.
        left, right: int64 N, indices into ``names``.
        same: bool N, whether both show one person.
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

    def take(self, mask: np.ndarray) -> "Pairs":
        """The pairs where ``mask`` holds; names stay."""
        return Pairs(self.names, self.left[mask], self.right[mask], self.same[mask], self.fold[mask])

    @property
    def digest(self) -> str:
        """First 16 hex digits of a SHA-256 over names, pairs, truth and folds: what results are stamped with."""
        digest = hashlib.sha256("\0".join(self.names).encode("utf-8", "surrogateescape"))
        for values in (self.left, self.right, self.same, self.fold):
            digest.update(np.ascontiguousarray(values, "<i8").tobytes())
        return digest.hexdigest()[:16]


def make_pairs(rows: Iterable[tuple[str, str, bool, int]]) -> Pairs:
    """`Pairs` of (name, name, same, fold); names are numbered in the order in which they appear."""
    index: dict[str, int] = {}
    numbers = [(index.setdefault(a, len(index)), index.setdefault(b, len(index)), same, f) for a, b, same, f in rows]
    table = np.array(numbers, np.int64).reshape(-1, 4)
    return Pairs(tuple(index), table[:, 0], table[:, 1], table[:, 2].astype(bool), table[:, 3])


def deal_folds(same: np.ndarray, folds: int = 10) -> np.ndarray:
    """Folds for a list that has none, int64 N: the genuine pairs, and the impostor pairs, in equal runs.

    As many folds as asked for, but no more than there are pairs of the rarer class; a single one where a class
    is absent.
    """
    folds = max(1, min(folds, int(same.sum()), int((~same).sum())))
    fold = np.zeros(len(same), np.int64)
    for kind in (same, ~same):
        count = int(kind.sum())
        fold[kind] = np.arange(count) * folds // max(count, 1)
    return fold


def read_lines(path: Path, what: str) -> list[str]:
    """The lines of a list; ``what`` says in the error which file was wanted.

    Raises:
        DatasetError: the file is missing or no text.
    """
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError as error:
        raise DatasetError(f"{path}: no such pairs file; {what}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: not a readable text file") from error


def read_lfw_pairs(path: Path) -> Pairs:
    """Read LFW's ``pairs.txt`` (view 2).

    The header gives folds and pairs per half; each fold lists its genuine pairs ``name i j``, then its
    impostor pairs ``name i name j``. Image i of a person is ``name/name_%04d``.

    Raises:
        DatasetError: missing or malformed; names the file and the line.
    """
    lines = read_lines(path, "LFW's is pairs.txt of view 2")
    folds, half = _header(lines, path)
    if len(lines) - 1 < 2 * half * folds:
        raise DatasetError(f"{path}: ends at line {len(lines)}, but its header promises {2 * half * folds} pairs")
    if any(line.strip() for line in lines[1 + 2 * half * folds :]):
        raise DatasetError(f"{path}, line {2 + 2 * half * folds}: more pairs than the header promises")
    rows = []
    for number in range(2 * half * folds):
        names, same = _pair(lines[number + 1].split(), path, number + 2)
        if same != (number % (2 * half) < half):
            raise DatasetError(f"{path}, line {number + 2}: genuine and impostor pairs are out of order")
        rows.append((*names, same, number // (2 * half)))
    return make_pairs(rows)


def _header(lines: list[str], path: Path) -> tuple[int, int]:
    try:
        folds, half = (int(word) for word in lines[0].split())
    except (IndexError, ValueError) as error:
        raise DatasetError(f"{path}, line 1: must hold the number of folds and of pairs, as '10 300'") from error
    if folds < 2 or half < 1:
        raise DatasetError(f"{path}, line 1: needs at least two folds and one pair, not {folds} and {half}")
    return folds, half


def _pair(words: list[str], path: Path, line: int) -> tuple[tuple[str, str], bool]:
    try:
        if len(words) == 3:
            name, first, second = words
            return (_image(name, first), _image(name, second)), True
        name, first, other, second = words
    except ValueError as error:
        raise DatasetError(f"{path}, line {line}: must be 'name i j' or 'name i name j'") from error
    try:
        return (_image(name, first), _image(other, second)), False
    except ValueError as error:
        raise DatasetError(f"{path}, line {line}: {first!r} or {second!r} is no image number") from error


def _image(name: str, number: str) -> str:
    if int(number) < 1:
        raise ValueError(number)
    return f"{name}/{name}_{int(number):04d}"
