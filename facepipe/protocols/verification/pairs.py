"""Verification on any list of pairs: accuracy over folds, TAR at FAR, equal error rate and area."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from facepipe.datasets.pairs.lfw_pairs import Pairs
from facepipe.errors import DatasetError
from facepipe.parameters import parameter
from facepipe.protocols.result import IF_ANY, FoldResult, Result, settings_of
from facepipe.protocols.roc import FARS, OperatingPoint, area_under_curve, equal_error_rate, tar_at_far
from facepipe.protocols.rows import find_rows, reason_of
from facepipe.protocols.verification.accuracy_rules import ACCURACY_RULES
from facepipe.protocols.verification.outcomes import Outcomes
from facepipe.protocols.verification.summary import pairs_summary
from facepipe.protocols.verification.tenfold import (
    Judged,
    deviation,
    judge_scores,
    mean_and_error,
    squared_distances,
)
from facepipe.protocols.verification.validation_rate import ValidationRate, validation_rate
from facepipe.score.pairs import score_pairs
from facepipe.tables import Summary, counted

if TYPE_CHECKING:
    from facepipe.embedding import Embeddings

ON_MISS = ("centre", "skip", "fail")


@dataclass(frozen=True, kw_only=True)
class PairsResult(Result):
    """Verification of pairs, of whatever.

    Attributes:
        accuracy, std_error: mean over folds, and its standard error σ/√folds with σ over folds (n − 1).
        std_dev: standard deviation of the folds' accuracies (over n, as insightface prints it).
        folds: one entry per fold.
        val: VAL at FAR, under rule ``insightface`` with cosine.
        eer, auc: equal error rate and area under the curve, of all pairs together without mean subtraction.
        tar: TAR at each false-accept rate, likewise.
        pairs, genuine, impostor: counts of what was judged.
        unreadable: images that are missing or could not be read; their pairs were left out.
        why_unreadable: the first of them, with the reason.
        skipped_pairs: pairs that were left out, for a missed face too.
    """

    accuracy: float | None
    std_error: float | None
    std_dev: float | None
    folds: tuple[FoldResult, ...]
    val: ValidationRate | None = field(default=None, metadata=IF_ANY)
    eer: float | None
    auc: float | None
    tar: tuple[OperatingPoint, ...]
    pairs: int
    genuine: int
    impostor: int
    unreadable: int = field(default=0, metadata=IF_ANY)
    why_unreadable: str = field(default="", metadata=IF_ANY)
    skipped_pairs: int = field(default=0, metadata=IF_ANY)


@dataclass(frozen=True, kw_only=True)
class VerificationResult(PairsResult):
    """Verification of pairs of images.

    Attributes:
        images: of the list.
        undetected: images of the list in which no face was found.
        reasons: figure → why there is none.
    """

    images: int
    undetected: int
    reasons: dict[str, str] = field(default_factory=dict, metadata=IF_ANY)

    def summary(self) -> Iterator[Summary]:
        """As of `Result`."""
        return pairs_summary(self, counted(self.images, 'image'), self.undetected, self.reasons)


def evaluate_pairs(
    embeddings: "Embeddings",
    pairs: Pairs,
    rule: str = "insightface",
    on_miss: str = "centre",
    score: str = "cosine",
    fars: Sequence[float] = FARS,
    protocol: str = "pairs",
) -> VerificationResult:
    """Judge the pairs of a list.

    Args:
        embeddings: of the images of ``pairs``, in any order, see `find_rows`.
        pairs: in folds; with a single fold there is no accuracy.
        rule: ``sphereface``, ``insightface`` or ``pfe``, see `ACCURACY_RULES`. For another
            score than cosine they are `judge_scores`.
        on_miss: what becomes of images without a detected face: ``centre`` uses the embedding of the
            image's centre that stood in for it, ``skip`` leaves their pairs out, those of images that are missing
            or cannot be read too, ``fail`` is an error.
        score: ``cosine``, ``scf`` or ``mls``, see `score_pairs`.
        fars: of the TAR table.
        protocol: what the result is called.

    Raises:
        DatasetError: unknown rule or on_miss, images are missing, too many are skipped, or embeddings are NaN.
        EmbeddingsError: the embeddings lack what the score needs.
    """
    counted = ACCURACY_RULES[rule]
    row = find_rows(embeddings, pairs.names, leave=on_miss == "skip")
    there = row >= 0
    _require_finite(embeddings, pairs.names, row)
    kept = without_missed(pairs, embeddings.detected[row] & there, on_miss)
    scores = score_pairs(score, embeddings, row[kept.left], row[kept.right])
    reason = why_silent(scores, kept.same)
    # Published sets are judged as published; a list of one's own may have been dealt in any way.
    why_no_accuracy = reason or (why_folds_are_silent(kept) if protocol == "pairs" else _too_few_folds(kept))
    mu = embeddings.mu[row] if score == "cosine" else None
    judged = None if why_no_accuracy else _judged(mu, scores, kept, rule)
    accuracy, error = (None, None) if judged is None else mean_and_error(judged.folds)
    genuine, impostor = scores[kept.same], scores[~kept.same]
    reasons = {"accuracy": why_no_accuracy, "eer": reason, "auc": reason}
    return VerificationResult(
        protocol=protocol,
        settings=settings_of(embeddings, score=score, rule=rule, on_miss=on_miss, data=pairs.digest),
        outcomes=Outcomes(kept.same, None if judged is None else judged.right, scores.astype(np.float32), kept.digest),
        accuracy=accuracy,
        std_error=error,
        std_dev=None if judged is None else deviation(judged.folds),
        folds=() if judged is None else judged.folds,
        val=None if judged is None or mu is None or not counted.validation else _validation(mu, kept),
        eer=None if reason else equal_error_rate(genuine, impostor),
        auc=None if reason else area_under_curve(genuine, impostor),
        tar=tar_at_far(genuine, impostor, fars),
        pairs=len(kept),
        genuine=len(genuine),
        impostor=len(impostor),
        images=len(pairs.names),
        undetected=int((~embeddings.detected[row] & there).sum()),
        unreadable=int((~there).sum()),
        why_unreadable="" if there.all() else _first_reason(embeddings, pairs.names[int(there.argmin())]),
        skipped_pairs=len(pairs) - len(kept),
        reasons={name: why for name, why in reasons.items() if why},
    )


def _first_reason(embeddings: "Embeddings", name: str) -> str:
    return f"{name}: {reason_of(embeddings, name)}"


def why_silent(scores: np.ndarray, same: np.ndarray) -> str:
    """Why scores tell nothing about same and different; empty when they do."""
    if same.all():
        return "no impostor pairs"
    if not same.any():
        return "no genuine pairs"
    return "all scores are equal" if scores.min() == scores.max() else ""


def _too_few_folds(pairs: Pairs) -> str:
    return "a single fold" if pairs.folds < 2 else ""


def why_folds_are_silent(pairs: Pairs) -> str:
    """Why folds tell no accuracy; empty when they do: a threshold needs pairs of both kinds outside the fold."""
    if _too_few_folds(pairs):
        return _too_few_folds(pairs)
    kinds = [set(pairs.same[pairs.fold == fold].tolist()) for fold in range(pairs.folds)]
    if all(len(kind) < 2 for kind in kinds):
        return "each fold holds genuine pairs alone, or impostor pairs alone"
    for fold in range(pairs.folds):
        others = set().union(*(kind for number, kind in enumerate(kinds) if number != fold))
        if len(others) < 2:
            return f"outside fold {fold + 1} all pairs are of one kind"
    return ""


def without_missed(pairs: Pairs, detected: np.ndarray, on_miss: str) -> Pairs:
    """The pairs that ``on_miss`` leaves.

    Args:
        pairs: the list.
        detected: bool, one per name.
        on_miss: ``centre``, ``skip`` or ``fail``.

    Raises:
        DatasetError: ``fail`` and a face was missed, ``skip`` and a fold became empty, or an unknown word.
    """
    if on_miss not in ON_MISS:
        raise DatasetError(f"on_miss {on_miss!r} is unknown; choose one of {', '.join(ON_MISS)}")
    undetected = int((~detected).sum())
    if undetected and on_miss == "fail":
        first = pairs.names[int((~detected).argmax())]
        used = f"use {parameter('on_miss', 'centre')} or {parameter('on_miss', 'skip')}"
        raise DatasetError(f"{first}: no face found, nor in {undetected - 1} more; {used}")
    if on_miss != "skip":
        return pairs
    kept = pairs.take(detected[pairs.left] & detected[pairs.right])
    for fold in range(pairs.folds):
        if not (kept.fold == fold).any():
            raise DatasetError(f"fold {fold + 1} has no pairs left without them; use {parameter('on_miss', 'centre')}")
    return kept


def _judged(mu: np.ndarray | None, scores: np.ndarray, pairs: Pairs, rule: str) -> Judged:
    return judge_scores(scores, pairs, rule) if mu is None else ACCURACY_RULES[rule].judge(mu, pairs)


def _validation(mu: np.ndarray, pairs: Pairs) -> ValidationRate:
    return validation_rate(squared_distances(mu, pairs), pairs)


def _require_finite(embeddings: "Embeddings", names: Sequence[str], row: np.ndarray) -> None:
    finite = np.isfinite(embeddings.mu).all(1)[row] | (row < 0)
    if not finite.all():
        first = names[int((~finite).argmax())]
        raise DatasetError(f"{first}: its embedding is not finite; check the model {embeddings.model}, embed again")
