"""Batched greedy suppression, against an obvious loop in exact fractions and against torchvision."""

from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.ops import batched_nms

from facepipe.detection import suppress as module
from facepipe.detection.suppress import suppress

# Halves and quarters are exact in float32 and a fraction of small whole numbers keeps clear of them, so rounding
# decides nothing.
THRESHOLDS = [0.0, 0.25, 0.5, 0.75]


def overlap(a, b, over_smaller):
    """IoU, or the Min rule with inclusive pixels, as an exact fraction; None where it is 0/0."""
    extra = int(over_smaller)

    def area(box):
        return (box[2] - box[0] + extra) * (box[3] - box[1] + extra)

    width = max(0, min(a[2], b[2]) - max(a[0], b[0]) + extra)
    height = max(0, min(a[3], b[3]) - max(a[1], b[1]) + extra)
    whole = min(area(a), area(b)) if over_smaller else area(a) + area(b) - width * height
    return Fraction(width * height, whole) if whole else None


def greedy(boxes, scores, group, threshold, over_smaller):
    """One box after the other, group by group, best first, the earlier first where scores are equal."""
    kept = []
    for index in sorted(range(len(boxes)), key=lambda i: (group[i], -scores[i], i)):
        rivals = [overlap(boxes[index], boxes[k], over_smaller) for k in kept if group[k] == group[index]]
        if all(rival is None or rival <= Fraction(threshold) for rival in rivals):
            kept.append(index)
    return kept


def run(boxes, scores, group, threshold, over_smaller=False):
    found = suppress(
        torch.tensor(boxes, dtype=torch.float32).view(-1, 4),
        torch.tensor(scores, dtype=torch.float32),
        torch.tensor(group, dtype=torch.int64),
        threshold,
        over_smaller,
    )
    assert found.dtype == torch.int64
    return found.tolist()


BOX = st.tuples(st.integers(-5, 15), st.integers(-5, 15), st.integers(0, 20), st.integers(0, 20))


@st.composite
def problems(draw, most, groups):
    # Few scores, so that many are equal.
    rows = draw(st.lists(st.tuples(BOX, st.integers(0, 6), st.integers(0, groups)), max_size=most))
    boxes = [(left, top, left + width, top + height) for (left, top, width, height), _, _ in rows]
    scores, group = [score / 8 for _, score, _ in rows], [7 * owner for _, _, owner in rows]
    return boxes, scores, group, draw(st.sampled_from(THRESHOLDS)), draw(st.booleans())


@settings(max_examples=200, deadline=None)
@given(problems(most=30, groups=5))
def test_equals_the_greedy_loop(problem):
    assert run(*problem) == greedy(*problem)


@pytest.mark.parametrize("block", [1, 2, 5])
@settings(max_examples=50, deadline=None)
@given(problem=problems(most=20, groups=1))
def test_groups_beyond_one_block_equal_the_greedy_loop(block, problem):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BLOCK", block)
        patch.setattr(module, "_PAIRS", 20)
        assert run(*problem) == greedy(*problem)


@pytest.mark.parametrize("over_smaller", [False, True])
def test_a_chain_falls_and_stands_in_turn(over_smaller):
    """Every box overlaps its neighbours only: the longest way the fixed-point iteration can have."""
    boxes = [(4 * k, 0, 4 * k + 9, 9) for k in range(300)]
    scores = [1 - k / 1000 for k in range(300)]
    assert run(boxes, scores, [3] * 300, 0.25, over_smaller) == list(range(0, 300, 2))


def test_equal_scores_keep_the_earlier_box():
    boxes = [(0, 0, 10, 10), (1, 0, 11, 10), (0, 1, 10, 11)]
    assert run(boxes, [0.5] * 3, [0] * 3, 0.5) == [0]
    assert run(boxes, [0.5, 0.5, 0.75], [0] * 3, 0.5) == [2]


def test_the_two_rules_differ_for_a_box_inside_another():
    boxes = [(0, 0, 99, 99), (10, 10, 29, 29)]
    assert run(boxes, [0.9, 0.8], [0, 0], 0.7) == [0, 1]
    assert run(boxes, [0.9, 0.8], [0, 0], 0.7, over_smaller=True) == [0]


def test_result_is_ordered_by_group_then_falling_score():
    far_apart = [(100 * k, 0, 100 * k + 9, 9) for k in range(6)]
    assert run(far_apart, [0.1, 0.9, 0.5, 0.3, 0.2, 0.8], [8, 0, 8, 0, 1, 8], 0.5) == [1, 3, 4, 5, 2, 0]


def test_boxes_of_different_groups_never_meet():
    assert run([(0, 0, 9, 9)] * 4, [0.4, 0.3, 0.2, 0.1], [5, 5, 6, 2000], 0.5) == [0, 2, 3]


@pytest.mark.parametrize("count, groups, spread", [(3000, 1, 300), (3000, 40, 60), (900, 300, 9)])
def test_equals_torchvision(count, groups, spread):
    """With one group of 3,000 this crosses block boundaries at their real size."""
    generator = torch.Generator().manual_seed(count + groups)
    corner = torch.randint(0, spread, (count, 2), generator=generator)
    boxes = torch.cat([corner, corner + torch.randint(1, 60, (count, 2), generator=generator)], 1).float()
    scores = torch.randint(0, 500, (count,), generator=generator) / 512  # many are equal
    group = torch.randint(0, groups, (count,), generator=generator)
    ours = suppress(boxes, scores, group, 0.7)
    theirs = batched_nms(boxes, scores, group, 0.7)
    assert 0 < len(ours) < count
    # torchvision orders boxes of equal score as it likes.
    assert sorted(ours.tolist()) == sorted(theirs.tolist())
