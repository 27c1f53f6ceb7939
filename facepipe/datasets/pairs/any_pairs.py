"""Lists of pairs in any of the forms that the protocols come in."""

from pathlib import Path

from facepipe.datasets.pairs.csv import read_pairs_csv
from facepipe.datasets.pairs.lfw_pairs import Pairs, read_lfw_pairs
from facepipe.datasets.pairs.two_line_pairs import read_two_line_pairs

_READERS = {"csv": read_pairs_csv, "lfw": read_lfw_pairs, "two-lines": read_two_line_pairs}


def read_pairs(path: Path, form: str) -> Pairs:
    """The pairs of a list.

    Args:
        path: of the list.
        form: ``csv`` (a user's own), ``lfw`` (LFW's pairs.txt) or ``two-lines`` (CALFW, CPLFW).

    Raises:
        DatasetError: the file is missing or malformed.
    """
    return _READERS[form](path)
