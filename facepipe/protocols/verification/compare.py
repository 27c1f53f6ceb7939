"""Whether two runs over the same pairs differ by more than chance."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from facepipe.parameters import parameter
from facepipe.protocols.result import Result
from facepipe.protocols.roc import tar_at_far
from facepipe.protocols.saved_result import SavedResult
from facepipe.protocols.verification.outcomes import Outcomes
from facepipe.score.threshold import threshold_of_ascending

RESAMPLES = 1000


@dataclass(frozen=True)
class McNemar:
    """McNemar's exact test on the pairs that one run judged correctly and the other wrongly.

    Attributes:
        only_first, only_second: number of pairs that only this run judged correctly.
        p: two-sided; probability of a split at least this uneven if both were equally good.
    """

    only_first: int
    only_second: int
    p: float


@dataclass(frozen=True)
class TarDifference:
    """TAR of the second run minus that of the first, at one false-accept rate.

    Attributes:
        far: the rate.
        first, second: TAR of each, from the scores kept in the results (float32).
        difference: ``second`` − ``first``.
        low, high: the middle 95 % of the bootstrap.
        p: two-sided: twice the share of resamples in which the difference is zero or on the other side.
        reason: why there is no figure; all but ``far`` are then None.
    """

    far: float
    first: float | None
    second: float | None
    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    reason: str = ""


def why_not_paired(first: Result | SavedResult, second: Result | SavedResult) -> str:
    """Why a paired test between the runs is impossible; empty if it is possible."""
    a, b = first.outcomes, second.outcomes
    if a is None or b is None:
        return "a run has no outcomes of pairs"
    if first.settings.get("data") != second.settings.get("data"):
        return "the runs use different lists of pairs"
    if a.of != b.of or not np.array_equal(a.same, b.same):
        return f"the runs left out different pairs ({parameter('on_miss', 'skip')})"
    return ""


def mcnemar(first: Outcomes, second: Outcomes) -> McNemar | None:
    """McNemar's exact test (a binomial test of the discordant pairs); None if a run made no decisions."""
    from scipy.special import bdtr

    if first.right is None or second.right is None:
        return None
    only_first = int((first.right & ~second.right).sum())
    only_second = int((second.right & ~first.right).sum())
    discordant = only_first + only_second
    p = min(1.0, 2 * float(bdtr(min(only_first, only_second), discordant, 0.5))) if discordant else 1.0
    return McNemar(only_first, only_second, p)


def tar_differences(
    first: Outcomes,
    second: Outcomes,
    fars: Sequence[float],
    resamples: int = RESAMPLES,
    seed: int = 0,
    progress: Callable[[int], None] = lambda _: None,
) -> tuple[TarDifference, ...]:
    """Paired bootstrap of the difference in TAR.

    Genuine and impostor pairs are resampled with replacement, the same for both runs, and each run's threshold is
    recomputed on its resampled impostor pairs. Pairs are treated as independent; if many share an image, the interval
    is too narrow.

    Args:
        first, second: for the same pairs.
        fars: false-accept rates.
        resamples: number of resamples.
        seed: random seed.
        progress: called with 1 after each resample.
    """
    if first.scores is None or second.scores is None:
        return tuple(_none(far, "a run has no scores of pairs") for far in fars)
    runs = [_Run(outcomes.scores, outcomes.same) for outcomes in (first, second) if outcomes.scores is not None]
    points = [tar_at_far(run.genuine, run.impostor, fars) for run in runs]
    known = [all(point.tar is not None for point in both) for both in zip(*points, strict=True)]
    drawn = np.zeros((resamples, len(fars)))
    if any(known):
        rng = np.random.default_rng(seed)
        measured = [far for far, answered in zip(fars, known, strict=True) if answered]
        for row in drawn:
            before, after = _draw(runs, measured, rng)
            row[known] = after - before
            progress(1)
    return tuple(
        _difference(far, float(a.tar or 0), float(b.tar or 0), drawn[:, number])
        if known[number]
        else _none(far, a.reason or b.reason)
        for number, (far, a, b) in enumerate(zip(fars, *points, strict=True))
    )


class _Run:
    """Sorted scores of one run, with the rank of each pair among the genuine or impostor pairs."""

    def __init__(self, scores: np.ndarray, same: np.ndarray) -> None:
        genuine, impostor = scores[same], scores[~same]
        self.place = np.argsort(np.argsort(genuine, kind="stable")), np.argsort(np.argsort(impostor, kind="stable"))
        self.genuine, self.impostor = np.sort(genuine), np.sort(impostor)

    def tar(self, genuine: np.ndarray, impostor: np.ndarray, fars: Sequence[float]) -> np.ndarray:
        """TAR at each rate on the drawn pairs, given as indices."""
        count = [
            np.bincount(place[drawn], minlength=len(place))
            for place, drawn in zip(self.place, (genuine, impostor), strict=True)
        ]
        lower = np.repeat(self.impostor, count[1])
        below = np.concatenate([[0], np.cumsum(count[0])])
        thresholds = np.array([threshold_of_ascending(lower, far) for far in fars], self.genuine.dtype)
        return 1 - below[np.searchsorted(self.genuine, thresholds)] / len(genuine)


def _draw(runs: list[_Run], fars: Sequence[float], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    genuine, impostor = (rng.integers(0, len(pairs), len(pairs)) for pairs in (runs[0].genuine, runs[0].impostor))
    before, after = (run.tar(genuine, impostor, fars) for run in runs)
    return before, after


def _difference(far: float, first: float, second: float, drawn: np.ndarray) -> TarDifference:
    low, high = np.percentile(drawn, [2.5, 97.5])
    # Counting the data themselves as one resample keeps p above 0 (Davison and Hinkley 1997, section 4.2).
    tail = (1 + min((drawn <= 0).sum(), (drawn >= 0).sum())) / (len(drawn) + 1)
    return TarDifference(far, first, second, second - first, float(low), float(high), min(1.0, 2 * float(tail)))


def _none(far: float, reason: str) -> TarDifference:
    return TarDifference(far, None, None, None, None, None, None, reason)
