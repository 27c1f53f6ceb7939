"""Pairs that tell nothing new, and folds that tell no accuracy."""

import numpy as np
import pytest

from facepipe.datasets.pairs.lfw_pairs import Pairs, duplicate_notes
from facepipe.protocols.verification.pairs import why_no_accuracy_of_folds


def pairs(*rows, folds=None):
    """Rows of left, right and whether they are one person."""
    left, right, same = map(np.array, zip(*rows, strict=True))
    fold = np.zeros(len(rows), int) if folds is None else np.array(folds)
    return Pairs(tuple("abcd"), left, right, same.astype(bool), fold)


def test_repeated():
    assert duplicate_notes(pairs((0, 1, 1), (0, 2, 0), (1, 2, 0))) == ()
    assert duplicate_notes(pairs((0, 1, 1), (1, 0, 1), (0, 1, 1), (3, 3, 1))) == (
        "2 pairs are repeated and counted again, such as b and a",
        "1 pair is of an image with itself, such as d",
    )


GENUINE, IMPOSTOR = (0, 1, 1), (0, 2, 0)


@pytest.mark.parametrize(
    ("kinds", "folds", "why"),
    [
        ([1, 0], [0, 0], "a single fold"),
        ([1, 0], [0, 1], "each fold has only genuine pairs"),
        ([1, 0, 0], [0, 0, 1], "outside fold 1 all pairs are of one kind"),
        ([1, 0, 1, 0], [0, 0, 1, 1], ""),
        ([1, 0, 1, 0, 1], [0, 0, 1, 1, 2], ""),
    ],
)
def test_folds(kinds, folds, why):
    told = why_no_accuracy_of_folds(pairs(*(GENUINE if kind else IMPOSTOR for kind in kinds), folds=folds))
    assert told.startswith(why) and bool(told) == bool(why)
