"""The rule of PFE and ProbFace: thresholds from genuine scores."""

from typing import TYPE_CHECKING

import numpy as np

from facepipe.protocols.verification.accuracy_rules import ACCURACY_RULES, AccuracyRule
from facepipe.protocols.verification.tenfold import Judged, by_blocks, fold_by_fold, right_at
from facepipe.score import unit

if TYPE_CHECKING:
    from facepipe.datasets.pairs.lfw_pairs import Pairs


def pfe_rule(mu: np.ndarray, pairs: "Pairs") -> Judged:
    """The rule of PFE and ProbFace (evaluation/metrics.py of seasonSH/Probabilistic-Face-Embeddings, ``accuracy``).

    Cosine, no mean subtraction. Thresholds are the scores of the other folds' genuine pairs, repeats included; the mean
    of equally good ones; a pair is genuine if its score is at or above the threshold. The original code uses −L2² of
    unit vectors, 2cos − 2, which gives the same decisions. Arguments and errors as in `sphereface_rule`.
    """
    normed = unit(mu)
    cosines = by_blocks(pairs, lambda left, right: np.einsum("nd,nd->n", normed[left], normed[right]))
    return _judge(cosines, pairs)


def _judge(score: np.ndarray, pairs: "Pairs") -> Judged:
    return fold_by_fold(pairs, lambda _: score, _genuine_threshold, tie="same")


def _genuine_threshold(score: np.ndarray, same: np.ndarray) -> float:
    """The mean of the genuine scores that judge most pairs correctly; above all scores if there are none."""
    genuine = np.sort(score[same])
    if not len(genuine):
        return float(np.nextafter(score.max(), np.inf))
    right = right_at(score, same, genuine, tie="same")
    best = genuine[right == right.max()]
    # The mean of equal numbers may differ from them in the last bit, which would decide a tie.
    return float(best[0] if best[0] == best[-1] else best.mean())


# This rule does not depend on the score's scale.
ACCURACY_RULES.add("pfe", AccuracyRule("PFE's and ProbFace's, thresholds from genuine scores", pfe_rule, _judge))
