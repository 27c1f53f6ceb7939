"""Celebrities in Frontal-Profile (Sengupta et al. 2016): the original folder with its lists."""

from collections.abc import Iterator
from pathlib import Path

from facepipe.datasets.pairs.lfw_pairs import Pairs, make_pairs, read_lines
from facepipe.errors import DatasetError

PARTS = ("FF", "FP")
_LISTS = {"FF": ("Pair_list_F.txt", "Pair_list_F.txt"), "FP": ("Pair_list_F.txt", "Pair_list_P.txt")}
_DEPTH = 3


def cfp_images(root: Path) -> Path:
    """Where the people's folders lie: ``Data/Images`` below ``root``, or ``root`` itself."""
    inside = root / "Data" / "Images"
    return inside if inside.is_dir() else root


def read_cfp_pairs(protocol: Path, part: str) -> Pairs:
    """Read CFP's protocol folder.

    ``Pair_list_F.txt`` and ``Pair_list_P.txt`` number the frontal and the profile images (``1
    ../Data/Images/001/frontal/01.jpg``); ``Split/FF/01/same.txt`` and ``diff.txt`` hold pairs of those numbers
    (``a,b``), ten folders each for ``FF`` and ``FP``. In FP the first number is of a frontal image, the second
    of a profile image.

    Args:
        protocol: the folder ``Protocol``.
        part: ``FF`` or ``FP``.

    Returns:
        `Pairs` whose names are like ``001/frontal/01``; genuine before impostor pairs in each fold.

    Raises:
        DatasetError: a file is missing or malformed, or a number is in no list; names the file and the line.
    """
    if part not in PARTS:
        raise DatasetError(f"CFP has no part {part!r}; choose one of {', '.join(PARTS)}")
    first, second = (_images(protocol / name) for name in _LISTS[part])
    folder = protocol / "Split" / part
    folds = sorted(path for path in folder.glob("*") if path.is_dir())
    if len(folds) < 2:
        raise DatasetError(f"{folder}: no folders of splits in it; it should hold 01 to 10, each with same.txt")

    def rows() -> Iterator[tuple[str, str, bool, int]]:
        for number, fold in enumerate(folds):
            for name, same in (("same.txt", True), ("diff.txt", False)):
                for a, b in _numbers(fold / name, first, second):
                    yield a, b, same, number

    return make_pairs(rows())


def _images(path: Path) -> dict[int, str]:
    images = {}
    for number, line in enumerate(read_lines(path, "CFP's folder Protocol holds it"), 1):
        if not line.strip():
            continue
        try:
            index, image = line.split(maxsplit=1)
            key = int(index)
        except ValueError as error:
            raise DatasetError(f"{path}, line {number}: must be 'NUMBER PATH', not {line[:60]!r}") from error
        parts = image.strip().replace("\\", "/").rpartition(".")[0].split("/")
        if len(parts) < _DEPTH:
            raise DatasetError(f"{path}, line {number}: a path like 001/frontal/01.jpg is missing")
        images[key] = "/".join(parts[-_DEPTH:])
    return images


def _numbers(path: Path, first: dict[int, str], second: dict[int, str]) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(read_lines(path, "each split of CFP holds same.txt and diff.txt"), 1):
        if not line.strip():
            continue
        try:
            a, b = (int(word) for word in line.split(","))
        except ValueError as error:
            raise DatasetError(f"{path}, line {number}: must be 'NUMBER,NUMBER', not {line[:60]!r}") from error
        if a not in first or b not in second:
            raise DatasetError(f"{path}, line {number}: image {a if a not in first else b} is in no Pair_list file")
        yield first[a], second[b]
