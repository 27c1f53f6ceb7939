"""Lists without headings, a pair a line: ``A B 1``, or ``1 A B``, as many copies of the small benchmarks have them."""

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path

from facepipe.datasets.lines import Line, each_line, is_image, without_headings
from facepipe.datasets.pairs.csv import listed_name, truth
from facepipe.datasets.pairs.lfw_pairs import PairRow, Pairs, deal_folds, make_pairs
from facepipe.errors import DatasetError

_WANTED = "'IMAGE IMAGE 1' or '1 IMAGE IMAGE', the number 1 for one person and 0 for two"


def read_line_pairs(path: Path) -> Pairs:
    """Read lines of two images and whether they show one person, which stands first or last, in all lines alike.

    Tabs, blanks, commas or semicolons divide; a first line of headings is passed over. The pairs are dealt into ten
    folds by `deal_folds`.

    Raises:
        DatasetError: missing, malformed or contradictory; names the file and the line.
    """
    lines = each_line(path, "a pairs list without headings has lines 'IMAGE IMAGE 1'")
    begin = list(islice(lines, 2))
    kept, _ = without_headings(begin, [_is_pair(line) for line in begin])
    if not kept:
        raise DatasetError(f"{path}: no pairs in it")
    pairs = make_pairs(_rows(chain(kept, lines), _side(kept[0])))
    return Pairs(pairs.names, pairs.left, pairs.right, pairs.same, deal_folds(pairs.same))


def _rows(lines: Iterable[Line], first: int) -> Iterator[PairRow]:
    originals: dict[str, str] = {}
    for line in lines:
        words = line.words(commas=True)
        same = truth(words[first]) if len(words) == 3 else None
        if same is None:
            raise line.wrong(_WANTED)
        del words[first]
        a, b = (listed_name(word, originals, line.where) for word in words)
        yield PairRow(a, b, same, 0, line)


def _is_pair(line: Line) -> bool:
    words = line.words(commas=True)
    if len(words) != 3:
        return False
    sides = [word.casefold() for word in (words[0], words[2]) if truth(word) is not None and not is_image(word)]
    headings = sides == ["same"] and not any(is_image(word) or "/" in word for word in words)
    return bool(sides) and not headings


def _side(line: Line) -> int:
    """Where the truth stands: 0 or 2."""
    words = line.words(commas=True)
    if not _is_pair(line):
        raise line.wrong(_WANTED)
    sides = [side for side in (0, 2) if truth(words[side]) is not None and not is_image(words[side])]
    if len(sides) != 1:
        raise DatasetError(f"{line.where}: it cannot be told which of the columns is the truth, in {line.text[:60]!r}")
    return sides[0]
