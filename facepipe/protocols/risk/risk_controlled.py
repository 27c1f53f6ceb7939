"""Risk-controlled recognition: several confidences evaluated side by side on one list of pairs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from facepipe.datasets.pairs.lfw_pairs import Pairs
from facepipe.embedding import Embeddings
from facepipe.protocols.result import Result, settings_of
from facepipe.protocols.risk.error_reject import ErrorReject, area, error_reject, ideal_uncertainty
from facepipe.protocols.risk.table import SHARES, RiskRow, risk_table
from facepipe.protocols.risk.uncertainty import CONFIDENCES, pair_uncertainty, uncertainty
from facepipe.protocols.rows import find_rows
from facepipe.score.pairs import score_pairs
from facepipe.tables import Column, Note, Summary, Table, counted, figures

IDEAL = "ideal"
JOINED_MODELS = "joined_models"
_JOINED_MODELS_BEFORE = "beside"
"""The setting's name in results of earlier versions."""


def joined_models(settings: Mapping[str, Any]) -> list[str]:
    """Models whose confidences were joined to a result, from its settings."""
    return list(settings.get(JOINED_MODELS, settings.get(_JOINED_MODELS_BEFORE, [])))


@dataclass(frozen=True, kw_only=True)
class RiskResult(Result):
    """Several confidences side by side.

    Attributes:
        pairs, genuine, images, undetected: counts.
        table: confidence → accuracy with shares of the pairs rejected.
        curves: confidence → error-versus-reject curve; the oracle comes last, as ``ideal``.
        relative_area: confidence → 0 if as good as the oracle, 1 if as good as random rejection; None if there
            is no error to reject.
    """

    pairs: int
    genuine: int
    images: int
    undetected: int
    table: dict[str, tuple[RiskRow, ...]]
    curves: dict[str, ErrorReject]
    relative_area: dict[str, float | None]

    def __post_init__(self) -> None:
        if _JOINED_MODELS_BEFORE in self.settings:
            rest = {name: value for name, value in self.settings.items() if name != _JOINED_MODELS_BEFORE}
            object.__setattr__(self, "settings", rest | {JOINED_MODELS: joined_models(self.settings)})

    @property
    def models(self) -> str:
        """The model and those whose confidences were joined, separated by ``+``."""
        return " + ".join([self.settings["model"], *joined_models(self.settings)])

    def summary(self) -> Iterator[Summary]:
        """See `Result`."""
        shares = [row.rejected for row in next(iter(self.table.values()))]
        rejected = [f"-{100 * share:.0f} %" for share in shares]
        areas = Column("to 30 %", right=True, lesser=2), Column("of random", right=True, lesser=1)
        columns = (Column("confidence"), *figures(*rejected, "AUERC"), *areas)
        rows = [self._row(name, curve, len(shares)) for name, curve in self.curves.items()]
        title = f"{self.models}, {counted(self.pairs, 'pair')}, accuracy in % by {self.settings['score']}"
        yield Table(title, columns, rows)
        ideal = self.curves[IDEAL]
        yield Note("-10 %: with the least certain tenth of the pairs rejected, and so on")
        where = f"threshold {ideal.threshold:.4f} (FMR {ideal.fmr:g})"
        yield Note(f"AUERC: FNMR at {where} over the share of pairs rejected")
        scale = "of random: 0 for an oracle, 1 for random rejection"
        yield Note(f"FNMR with no pair rejected: {ideal.fnmr[0]:.4f}; {scale}")

    def _row(self, name: str, curve: ErrorReject, count: int) -> tuple[str, ...]:
        accuracies = [f"{100 * row.accuracy:.2f}" for row in self.table.get(name, ())] or [""] * count
        relative = self.relative_area[name]
        of_random = "" if relative is None else f"{relative:.3f}"
        return (name, *accuracies, f"{curve.area:.5f}", f"{curve.area_30:.5f}", of_random)


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
    """ProbFace's table and the error-versus-reject curve of each confidence.

    Args:
        embeddings: of the images in ``pairs``.
        pairs: in the order in which the table's folds are cut.
        confidences: from `facepipe.protocols.risk.uncertainty`; empty means all that the embeddings have.
        score: from `facepipe.score.pairs`, used to decide pairs.
        pair_rule: ``max`` (the worse face decides) or ``sum``.
        fmr: false-match rate that fixes the threshold of the curves.
        shares: to reject in the table.
        seed: random seed of the confidence ``random``.

    Raises:
        DatasetError: images are missing, a name is unknown, or too few pairs are left.
        EmbeddingsError: the embeddings lack a confidence or what the score needs.
    """
    rows = embeddings.take(find_rows(embeddings, pairs.names))
    names = tuple(confidences) or available_confidences(rows)
    scores = _scores(score, rows, pairs)
    uncertainties = {name: _of_pairs(name, rows, pairs, pair_rule, seed) for name in dict.fromkeys(names)}
    table = {name: risk_table(scores, pairs.same, values, shares) for name, values in uncertainties.items()}
    uncertainties[IDEAL] = ideal_uncertainty(scores, pairs.same, fmr)
    curves = {name: error_reject(scores, pairs.same, values, fmr) for name, values in uncertainties.items()}
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
    """The area on a scale from 0, the oracle, to 1, random rejection, which changes no rate."""
    chance = area(curve.rejected, np.full(len(curve.rejected), curve.fnmr[0]), 1.0)
    return None if chance == ideal.area else (curve.area - ideal.area) / (chance - ideal.area)
