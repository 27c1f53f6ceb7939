"""The lists of Cross-Age LFW and Cross-Pose LFW: two lines a pair."""

from pathlib import Path

from facepipe.datasets.pairs.lfw_pairs import Pairs, deal_folds, make_pairs, read_lines
from facepipe.errors import DatasetError

_FOLDS = 10


def read_two_line_pairs(path: Path) -> Pairs:
    """Read ``pairs_CALFW.txt`` or ``pairs_CPLFW.txt``.

    Two lines are a pair, each ``NAME.jpg NUMBER`` with the same number: 0 for different people, for one person
    1 (or the fold, 1 to 10). The images lie in one folder. Impostor pairs have no fold in the file; genuine
    and impostor pairs are dealt into ten folds in the order of the list, 300 and 300 to each.

    Raises:
        DatasetError: missing or malformed; names the file and the line.
    """
    lines = [line.split() for line in read_lines(path, "CALFW's is pairs_CALFW.txt, CPLFW's pairs_CPLFW.txt")]
    while lines and not lines[-1]:
        lines.pop()
    if len(lines) % 2 or not lines:
        raise DatasetError(f"{path}: {len(lines)} lines; two lines make a pair")
    rows = []
    for number, (words, others) in enumerate(zip(lines[::2], lines[1::2], strict=True)):
        if len(words) != 2 or len(others) != 2 or words[1] != others[1] or not words[1].isdigit():
            raise DatasetError(f"{path}, line {2 * number + 1}: must be 'NAME.jpg NUMBER' twice with one number")
        rows.append((_stem(words[0]), _stem(others[0]), words[1] != "0", 0))
    pairs = make_pairs(rows)
    return Pairs(pairs.names, pairs.left, pairs.right, pairs.same, deal_folds(pairs.same, _FOLDS))


def _stem(name: str) -> str:
    return name.rpartition(".")[0] or name
