"""Paired tests between runs against SciPy and a bootstrap that is written out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from facepipe.protocols import Result, tar_at_far
from facepipe.protocols.verification.compare import mcnemar, tar_differences, why_not_paired
from facepipe.protocols.verification.outcomes import Outcomes


def outcomes(seed=0, pairs=300, shift=1.0, ties=False):
    rng = np.random.default_rng(seed)
    same = np.arange(pairs) % 3 == 0
    scores = rng.normal(size=pairs) + shift * same
    return Outcomes(same, None, (np.round(scores * 3) / 3 if ties else scores).astype(np.float32))


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_mcnemar_is_the_binomial_test(right):
    first, second = np.array(right).T
    same = np.ones(len(right), bool)
    test = mcnemar(Outcomes(same, first), Outcomes(same, second))
    only_first, only_second = sum(a and not b for a, b in right), sum(b and not a for a, b in right)
    assert (test.only_first, test.only_second) == (only_first, only_second)
    discordant = only_first + only_second
    assert test.p == pytest.approx(binomtest(only_first, discordant).pvalue if discordant else 1.0)


def test_mcnemar_needs_decisions():
    assert mcnemar(Outcomes(np.ones(2, bool)), Outcomes(np.ones(2, bool), np.ones(2, bool))) is None


@pytest.mark.parametrize("ties", [False, True])
def test_bootstrap_is_the_written_out_one(ties):
    first, second = outcomes(1, ties=ties), outcomes(2, shift=1.5, ties=ties)
    fars, resamples = [0.1, 0.02, 1e-3], 120
    got = tar_differences(first, second, fars, resamples, seed=5)
    rng = np.random.default_rng(5)
    differences = []
    for _ in range(resamples):
        draws = [rng.integers(0, size, size) for size in (first.same.sum(), (~first.same).sum())]
        tars = []
        for run in (first, second):
            genuine, impostor = run.scores[run.same][draws[0]], run.scores[~run.same][draws[1]]
            tars.append([point.tar for point in tar_at_far(genuine, impostor, fars[:2])])
        differences.append(np.subtract(tars[1], tars[0]))
    for number, far in enumerate(fars[:2]):
        drawn = np.array(differences)[:, number]
        row = got[number]
        assert row.far == far
        whole = [tar_at_far(run.scores[run.same], run.scores[~run.same], [far])[0].tar for run in (first, second)]
        assert (row.first, row.second) == tuple(whole) and row.difference == whole[1] - whole[0]
        assert (row.low, row.high) == pytest.approx(tuple(np.percentile(drawn, [2.5, 97.5])), abs=1e-9)
        tail = (1 + min((drawn <= 1e-12).sum(), (drawn >= -1e-12).sum())) / (resamples + 1)
        assert row.p == pytest.approx(min(1, 2 * tail))
    assert got[2].difference is None and "fewer than 1/FAR" in got[2].reason


def test_a_run_does_not_differ_from_itself():
    (row,) = tar_differences(outcomes(3), outcomes(3), [0.1], 100)
    assert (row.difference, row.low, row.high, row.p) == (0, 0, 0, 1)


def test_a_clear_difference_is_found_and_has_its_sign():
    worse, better = outcomes(4, 1500, 0.3), outcomes(5, 1500, 3.0)
    (row,) = tar_differences(worse, better, [0.1], 200)
    assert row.low > 0 and row.p < 0.02
    (other,) = tar_differences(better, worse, [0.1], 200)
    assert other.high < 0 and other.p < 0.02


def test_without_scores_there_is_no_bootstrap():
    (row,) = tar_differences(outcomes(), Outcomes(outcomes().same), [0.1])
    assert row.difference is None and "no scores" in row.reason


def test_as_many_pairs_left_out_but_others():
    """Equal counts and equal truth do not make the same pairs."""
    same = np.array([True, True, False, False])
    left_out = [
        Result(
            protocol="pairs", settings={"data": "x"}, outcomes=Outcomes(same, same, same.astype(np.float32), of)
        )
        for of in "ab"
    ]
    assert "left out different pairs" in why_not_paired(*left_out)
    assert why_not_paired(left_out[0], left_out[0]) == ""
    assert Outcomes.from_json(left_out[0].outcomes.as_json()).of == "a"


def test_what_cannot_be_paired():
    def made(data, found=None):
        return Result(protocol="pairs", settings={"data": data}, outcomes=found)

    a = made("1", outcomes())
    assert why_not_paired(a, a) == ""
    assert "no outcomes" in why_not_paired(a, made("1"))
    assert "different lists" in why_not_paired(a, made("2", outcomes()))
    assert "left out" in why_not_paired(a, made("1", outcomes(pairs=297)))
