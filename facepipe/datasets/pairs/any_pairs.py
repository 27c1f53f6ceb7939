"""Read a list of pairs in any of the known formats."""

from pathlib import Path

from facepipe.datasets.lines import Line, each_line, is_image, whole
from facepipe.datasets.pairs.csv import read_pairs_csv
from facepipe.datasets.pairs.lfw_pairs import Pairs, read_lfw_pairs
from facepipe.datasets.pairs.line_pairs import read_line_pairs
from facepipe.datasets.pairs.two_line_pairs import read_two_line_pairs
from facepipe.errors import DatasetError
from facepipe.nearest import did_you_mean
from facepipe.parameters import parameter

_READERS = {
    "csv": read_pairs_csv,
    "lfw": read_lfw_pairs,
    "two-lines": read_two_line_pairs,
    "lines": read_line_pairs,
}
FORMS = ("auto", *_READERS)


def read_pairs(path: Path, form: str = "auto") -> Pairs:
    """Read a list of pairs.

    Args:
        path: the list.
        form: ``csv`` (with a header), ``lfw`` (LFW's pairs.txt), ``two-lines`` (CALFW, CPLFW), ``lines`` (two images
            and 1 or 0 per line), or ``auto``: by the first line.

    Raises:
        DatasetError: the file is missing or malformed, its format is not recognised, or ``form`` is unknown.
    """
    if form not in FORMS:
        raise DatasetError(f"{parameter('form', form, 'format')}: {did_you_mean(form, FORMS)}")
    return _READERS[form_of(path) if form == "auto" else form](path)


def form_of(path: Path) -> str:
    """Detect the format of a list by its first line.

    Raises:
        DatasetError: the file is missing or empty, or the format is not recognised; lists the known ones.
    """
    first = next(each_line(path, "name a list of pairs"), None)
    if first is None:
        raise DatasetError(f"{path}: has no pairs")
    words = [word.casefold() for word in first.words(commas=True)]
    if {"a", "b", "same"} <= set(words):
        return "csv"
    if words[:2] == ["name", "imagenum1"] or (len(words) == 2 and None not in map(whole, words)):
        return "lfw"
    if _is_half(first):
        return "two-lines"
    if len(words) == 3:
        return "lines"
    raise first.wrong(
        "'a,b,same' (a CSV with a header), '10 300' (LFW), 'NAME.jpg NUMBER' (CALFW) or 'IMAGE IMAGE 1'; "
        f"or set {parameter('form', option='format')}"
    )


def _is_half(line: Line) -> bool:
    words = line.text.rsplit(None, 1)
    return len(words) == 2 and is_image(words[0]) and whole(words[1]) is not None and len(line.words()) == 2
