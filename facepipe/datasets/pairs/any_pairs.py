"""Read a list of pairs in any of the known formats."""

from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path

from facepipe.datasets.lines import Line, each_line, is_image, whole
from facepipe.datasets.pairs.csv import read_pairs_csv
from facepipe.datasets.pairs.lfw_pairs import Pairs, is_lfw_pair, read_lfw_pairs
from facepipe.datasets.pairs.line_pairs import read_line_pairs
from facepipe.datasets.pairs.two_line_pairs import read_two_line_pairs
from facepipe.errors import DatasetError
from facepipe.nearest import did_you_mean
from facepipe.parameters import parameter

_READERS: dict[str, Callable[[Path], Pairs]] = {
    "csv": read_pairs_csv,
    "lfw": partial(read_lfw_pairs, any_layout=True),
    "two-lines": read_two_line_pairs,
    "lines": read_line_pairs,
}
FORMS = ("auto", *_READERS)


def read_pairs(path: Path, form: str = "auto") -> Pairs:
    """Read a list of pairs.

    Args:
        path: the list.
        form: ``csv`` (with a header), ``lfw`` (LFW's pairs.txt and its other lists), ``two-lines`` (CALFW, CPLFW),
            ``lines`` (two images and 1 or 0 per line), or ``auto``: by the first line, or the second below a header.

    Raises:
        DatasetError: the file is missing or malformed, its format is not recognised, or ``form`` is unknown.
    """
    if form not in FORMS:
        raise DatasetError(f"{parameter('form', form, 'format')}: {did_you_mean(form, FORMS)}")
    return _READERS[form_of(path) if form == "auto" else form](path)


def form_of(path: Path) -> str:
    """Detect the format of a list by its first line, or by its second below a header.

    Raises:
        DatasetError: the file is missing or empty, or the format is not recognised; lists the known ones.
    """
    begin = list(islice(each_line(path, "name a list of pairs"), 2))
    if not begin:
        raise DatasetError(f"{path}: has no pairs")
    first = begin[0]
    words = [word.casefold() for word in first.words(commas=True)]
    if {"a", "b", "same"} <= set(words):
        return "csv"
    if words[:2] == ["name", "imagenum1"] or (len(words) < 3 and None not in map(whole, words)):
        return "lfw"
    if any(map(is_lfw_pair, begin)):
        return "lfw"
    if any(map(_is_half, begin)):
        return "two-lines"
    if any(len(line.words(commas=True)) == 3 for line in begin):
        return "lines"
    raise first.wrong(
        "'a,b,same' (a CSV with a header), '10 300' (LFW), 'NAME.jpg NUMBER' (CALFW) or 'IMAGE IMAGE 1'; "
        f"or set {parameter('form', option='format')}"
    )


def _is_half(line: Line) -> bool:
    words = line.text.rsplit(None, 1)
    return len(words) == 2 and is_image(words[0]) and whole(words[1]) is not None and len(line.words()) == 2
