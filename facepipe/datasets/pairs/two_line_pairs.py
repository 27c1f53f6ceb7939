"""The lists of Cross-Age LFW and Cross-Pose LFW: two lines per pair."""

from pathlib import Path

from facepipe.datasets.lines import Line, image_path, read_lines, whole, without_headings
from facepipe.datasets.pairs.lfw_pairs import PairRow, Pairs, assign_folds, make_pairs
from facepipe.errors import DatasetError

_FOLDS = 10


def read_two_line_pairs(path: Path) -> Pairs:
    """Read ``pairs_CALFW.txt`` or ``pairs_CPLFW.txt``.

    Two lines are a pair, each ``NAME.jpg NUMBER`` with the same number: 0 for different people, 1 (or the fold, 1 to
    10) for the same person. The images are in one folder. Impostor pairs have no fold in the file; genuine and
    impostor pairs are split into ten folds in the order of the list, 300 of each kind per fold. A header is skipped.

    Raises:
        DatasetError: missing or malformed; gives the file and the line.
    """
    everything = read_lines(path, "CALFW's is pairs_CALFW.txt, CPLFW's pairs_CPLFW.txt")
    lines, _ = without_headings(everything, [_words(line)[1] is not None for line in everything[:2]])
    if len(lines) % 2 or not lines:
        raise DatasetError(f"{path}: {len(lines)} lines; two lines make a pair")
    rows = []
    for line, other in zip(lines[::2], lines[1::2], strict=True):
        (name, number), (second, again) = _words(line), _words(other)
        if number is None or number < 0 or number != again:
            raise DatasetError(
                f"{line.where}: must be 'NAME.jpg NUMBER' twice with the same number, not {line.text[:60]!r} and "
                f"{other.text[:60]!r}"
            )
        rows.append(PairRow(_stem(name), _stem(second), number != 0, 0, line))
    pairs = make_pairs(rows)
    return Pairs(pairs.names, pairs.left, pairs.right, pairs.same, assign_folds(pairs.same, _FOLDS))


def _words(line: Line) -> tuple[str, int | None]:
    """The image, whose name may contain spaces, and the number after it."""
    words = line.text.rsplit(None, 1)
    return (image_path(words[0]), whole(words[1])) if len(words) == 2 else (line.text, None)


def _stem(name: str) -> str:
    return name.rpartition(".")[0] or name
