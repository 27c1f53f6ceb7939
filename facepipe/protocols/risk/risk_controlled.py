"""Risk-controlled recognition: several confidences judged side by side on one list of pairs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from facepipe.datasets.pairs.lfw_pairs import Pairs
from facepipe.embedding import Embeddings
from facepipe.protocols.result import Result, settings_of
from facepipe.protocols.risk.error_reject import ErrorReject, area, error_reject, ideal_uncertainty
from facepipe.protocols.risk.table import SHARES, RiskRow, risk_table
from facepipe.protocols.risk.uncertainty import CONFIDENCES, pair_uncertainty, uncertainty
from facepipe.protocols.rows import find_rows
from facepipe.score.pairs import score_pairs

IDEAL = "ideal"


@dataclass(frozen=True, kw_only=True)
class RiskResult(Result):
    """Several confidences side by side.

    Attributes:
        pairs, genuine, images, undetected: counts.
        table: confidence → accuracy with shares of the pairs left out.
        curves: confidence → error against reject; the oracle stands last, under ``ideal``.
        relative_area: confidence → 0 when as good as the oracle, 1 as good as rejecting at random; None where there
            is no error to reject.
    """

    pairs: int
    genuine: int
    images: int
    undetected: int
    table: dict[str, tuple[RiskRow, ...]]
    curves: dict[str, ErrorReject]
    relative_area: dict[str, float | None]


def evaluate_risk(
    embeddings: Embeddings,
    pairs: Pairs,
    confidences: Sequence[str] = (),
    score: str = "cosine",
    pair_rule: str = "max",
    fmr: float = 1e-3,
    shares: Sequence[float] = SHARES,
    seed: int = 0,
) -> RiskResult:
    """ProbFace's table and the error-against-reject curve of each confidence.

    Args:
        embeddings: of the images of ``pairs``.
        pairs: in the order in which the table's folds are cut.
        confidences: of `facepipe.protocols.risk.uncertainty`; none means all that the embeddings have.
        score: of `facepipe.score.pairs`; what a pair is judged by.
        pair_rule: ``max``: the worse face decides; ``sum``.
        fmr: false-match rate that fixes the threshold of the curves.
        shares: to be left out in the table.
        seed: of the confidence ``random``.

    Raises:
        DatasetError: images are missing, a name is unknown, or too few pairs are left.
        EmbeddingsError: the embeddings lack a confidence or what the score needs.
    """
    rows = embeddings.take(find_rows(embeddings, pairs.names))
    names = tuple(confidences) or available_confidences(rows)
    scores = _scores(score, rows, pairs)
    doubts = {name: _of_pairs(name, rows, pairs, pair_rule, seed) for name in dict.fromkeys(names)}
    table = {name: risk_table(scores, pairs.same, doubt, shares) for name, doubt in doubts.items()}
    doubts[IDEAL] = ideal_uncertainty(scores, pairs.same, fmr)
    curves = {name: error_reject(scores, pairs.same, doubt, fmr) for name, doubt in doubts.items()}
    about = {"score": score, "pair_rule": pair_rule, "fmr": fmr, "seed": seed, "data": pairs.digest}
    return RiskResult(
        protocol="risk",
        settings=settings_of(rows, **about),
        pairs=len(pairs),
        genuine=int(pairs.same.sum()),
        images=len(rows),
        undetected=int((~rows.detected).sum()),
        table=table,
        curves=curves,
        relative_area={name: _relative(curve, curves[IDEAL]) for name, curve in curves.items()},
    )


def available_confidences(embeddings: Embeddings) -> tuple[str, ...]:
    """The confidences that these embeddings have."""
    scores = embeddings.detection_score
    absent = {
        "kappa": embeddings.kappa is None,
        "sigma2": embeddings.sigma2 is None,
        "detection_score": scores is None or bool(np.isnan(scores).all()),
    }
    return tuple(name for name in CONFIDENCES if not absent.get(name))


def _scores(score: str, embeddings: Embeddings, pairs: Pairs) -> np.ndarray:
    return score_pairs(score, embeddings, pairs.left, pairs.right)


def _of_pairs(name: str, embeddings: Embeddings, pairs: Pairs, rule: str, seed: int) -> np.ndarray:
    return pair_uncertainty(uncertainty(name, embeddings, seed), pairs.left, pairs.right, rule)


def _relative(curve: ErrorReject, ideal: ErrorReject) -> float | None:
    """Where the area lies between the oracle's, 0, and that of rejecting at random, which changes no rate, 1."""
    chance = area(curve.rejected, np.full(len(curve.rejected), curve.fnmr[0]), 1.0)
    return None if chance == ideal.area else (curve.area - ideal.area) / (chance - ideal.area)
