"""Celebrities in Frontal-Profile (Sengupta et al. 2016): the lists of the original folder."""

from collections.abc import Iterator
from pathlib import Path

from facepipe.datasets.lines import Line, image_path, read_lines, whole
from facepipe.datasets.pairs.lfw_pairs import PairRow, Pairs, make_pairs
from facepipe.errors import DatasetError

PARTS = ("FF", "FP")
_LISTS = {"FF": ("F", "F"), "FP": ("F", "P")}
_NAMES = ("Pair_list_{}.txt", "image_list_{}.txt")
_DEPTH = 3


def cfp_images(root: Path) -> Path:
    """The folder of images: ``Data/Images`` or ``Images`` below ``root``, or ``root`` itself."""
    candidates = (cfp_folder(root) / "Data" / "Images", root / "Images")
    return next((folder for folder in candidates if folder.is_dir()), root)


def cfp_folder(root: Path) -> Path:
    """The folder with ``Data`` and ``Protocol``: ``root``, or ``cfp-dataset`` in it as in the archive."""
    inside = root / "cfp-dataset"
    return inside if inside.is_dir() else root


def read_cfp_pairs(protocol: Path, part: str) -> Pairs:
    """Read CFP's protocol folder.

    ``Pair_list_F.txt`` and ``Pair_list_P.txt`` (in some copies ``image_list_F.txt`` and ``image_list_P.txt``; in the
    folder or in ``Split``) number the frontal and profile images (``1 ../Data/Images/001/frontal/01.jpg``);
    ``Split/FF/01/same.txt`` and ``diff.txt`` hold pairs of these numbers (``a,b``), in ten folders each for ``FF`` and
    ``FP``. In FP the first number is a frontal image, the second a profile image.

    Args:
        protocol: the folder ``Protocol``.
        part: ``FF`` or ``FP``.

    Returns:
        `Pairs` with names such as ``001/frontal/01``; genuine before impostor pairs in each fold.

    Raises:
        DatasetError: a file is missing or malformed, or a number is in no list; gives the file and the line.
    """
    if part not in PARTS:
        raise DatasetError(f"CFP has no part {part!r}; choose one of {', '.join(PARTS)}")
    first, second = (_images(_list_of(protocol, letter)) for letter in _LISTS[part])
    folder = protocol / "Split" / part
    folds = sorted(path for path in folder.glob("*") if path.is_dir())
    if len(folds) < 2:
        raise DatasetError(f"{folder}: has no folders of splits; it should have 01 to 10, each with same.txt")

    def rows() -> Iterator[PairRow]:
        for number, fold in enumerate(folds):
            for name, same in (("same.txt", True), ("diff.txt", False)):
                for a, b, line in _numbers(fold / name, first, second):
                    yield PairRow(a, b, same, number, line)

    return make_pairs(rows())


def _list_of(protocol: Path, letter: str) -> Path:
    """The list of frontal (F) or profile (P) images, whose name differs between copies of CFP."""
    names = [name.format(letter) for name in _NAMES]
    candidates = [folder / name for folder in (protocol, protocol / "Split") for name in names]
    return next((file for file in candidates if file.is_file()), candidates[0])


def _images(path: Path) -> dict[int, str]:
    images: dict[int, str] = {}
    for line in read_lines(path, f"CFP's folder Protocol has it, or {path.name.replace('Pair', 'image')}"):
        words = line.text.split(None, 1)
        key = whole(words[0].rstrip(",;"))
        if len(words) != 2 or key is None:
            raise line.wrong("'NUMBER PATH'")
        parts = image_path(words[1]).rpartition(".")[0].split("/")
        if len(parts) < _DEPTH:
            raise DatasetError(f"{line.where}: no path like 001/frontal/01.jpg in {line.text[:60]!r}")
        if images.setdefault(key, "/".join(parts[-_DEPTH:])) != "/".join(parts[-_DEPTH:]):
            raise DatasetError(f"{line.where}: number {key} already has another image; download the list again")
    return images


def _numbers(path: Path, first: dict[int, str], second: dict[int, str]) -> Iterator[tuple[str, str, Line]]:
    for line in read_lines(path, "each split of CFP has same.txt and diff.txt"):
        words = line.words(commas=True)
        a, b = (whole(word) for word in words) if len(words) == 2 else (None, None)
        if a is None or b is None:
            raise line.wrong("'NUMBER,NUMBER'")
        if a not in first or b not in second:
            raise DatasetError(f"{line.where}: image {a if a not in first else b} is in no Pair_list file")
        yield first[a], second[b], line
