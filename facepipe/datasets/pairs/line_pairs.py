"""Lists without a header, one pair per line: ``A B 1`` or ``1 A B``, as in many copies of the small benchmarks."""

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path

from facepipe.datasets.lines import Line, each_line, is_image, without_headings
from facepipe.datasets.pairs.csv import listed_name, truth
from facepipe.datasets.pairs.lfw_pairs import PairRow, Pairs, assign_folds, make_pairs
from facepipe.errors import DatasetError

_WANTED = "'IMAGE IMAGE 1' or '1 IMAGE IMAGE', with 1 for one person and 0 for two"


def read_line_pairs(path: Path) -> Pairs:
    """Read lines of two images and whether they show the same person, first or last in all lines.

    Columns are separated by tabs, spaces, commas or semicolons; a header is skipped. The pairs are split into ten folds
    by `assign_folds`.

    Raises:
        DatasetError: missing, malformed or contradictory; gives the file and the line.
    """
    lines = each_line(path, "a pairs list without a header has lines 'IMAGE IMAGE 1'")
    first_two = list(islice(lines, 2))
    kept, _ = without_headings(first_two, [_is_pair(line) for line in first_two])
    if not kept:
        raise DatasetError(f"{path}: has no pairs")
    pairs = make_pairs(_rows(chain(kept, lines), _side(kept[0])))
    return Pairs(pairs.names, pairs.left, pairs.right, pairs.same, assign_folds(pairs.same))


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
    """The column of the label: 0 or 2."""
    words = line.words(commas=True)
    if not _is_pair(line):
        raise line.wrong(_WANTED)
    sides = [side for side in (0, 2) if truth(words[side]) is not None and not is_image(words[side])]
    if len(sides) != 1:
        raise DatasetError(f"{line.where}: cannot tell which column is the label, in {line.text[:60]!r}")
    return sides[0]
