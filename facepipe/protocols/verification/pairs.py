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
    """Verification of pairs of images or videos.

    Attributes:
        accuracy, std_error: mean over folds, and its standard error σ/√folds, σ over folds (n − 1).
        std_dev: standard deviation of the folds' accuracies (over n, as in insightface).
        folds: one entry per fold.
        val: VAL at FAR, under rule ``insightface`` with cosine.
        eer, auc: equal error rate and area under the curve, over all pairs, without mean subtraction.
        tar: TAR at each false-accept rate, likewise.
        pairs, genuine, impostor: counts of judged pairs.
        unreadable: number of missing or unreadable images, whose pairs were left out.
        why_unreadable: the first of these, with the reason.
        skipped_pairs: number of pairs left out, including for missed faces.
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
        images: number of images in the list.
        undetected: number of images without a detected face.
        reasons: figure → why it is missing.
    """

    images: int
    undetected: int
    reasons: dict[str, str] = field(default_factory=dict, metadata=IF_ANY)

    def summary(self) -> Iterator[Summary]:
        """See `Result`."""
        return pairs_summary(self, counted(self.images, "image"), self.undetected, self.reasons)


def evaluate_pairs(
    embeddings: "Embeddings",
    pairs: Pairs,
    rule: str = "insightface",
    on_miss: str = "centre",
    score: str = "cosine",
    fars: Sequence[float] = FARS,
    protocol: str = "pairs",
) -> VerificationResult:
    """Verification on a list of pairs.

    Args:
        embeddings: of the images in ``pairs``, in any order, see `find_rows`.
        pairs: with folds; a single fold gives no accuracy.
        rule: ``sphereface``, ``insightface`` or ``pfe``, see `ACCURACY_RULES`; for scores
            other than cosine, see `judge_scores`.
        on_miss: how images without a detected face are treated: ``centre`` uses the embedding of the image's centre
            crop, ``skip`` leaves out their pairs, and those of missing or unreadable images, ``fail`` raises an
            error.
        score: ``cosine``, ``scf`` or ``mls``, see `score_pairs`.
        fars: false-accept rates of the TAR table.
        protocol: name of the protocol in the result.

    Raises:
        DatasetError: unknown rule or on_miss, images are missing, too many are skipped, or embeddings are NaN.
        EmbeddingsError: the embeddings lack what the score needs.
    """
    accuracy_rule = ACCURACY_RULES[rule]
    row = find_rows(embeddings, pairs.names, leave=on_miss == "skip")
    present = row >= 0
    _require_finite(embeddings, pairs.names, row)
    kept = without_missed(pairs, embeddings.detected[row] & present, on_miss)
    scores = score_pairs(score, embeddings, row[kept.left], row[kept.right])
    reason = why_no_figures(scores, kept.same)
    # Published sets are evaluated as published; a user's list may have any folds.
    why_no_accuracy = reason or (why_no_accuracy_of_folds(kept) if protocol == "pairs" else _too_few_folds(kept))
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
        val=None if judged is None or mu is None or not accuracy_rule.validation else _validation(mu, kept),
        eer=None if reason else equal_error_rate(genuine, impostor),
        auc=None if reason else area_under_curve(genuine, impostor),
        tar=tar_at_far(genuine, impostor, fars),
        pairs=len(kept),
        genuine=len(genuine),
        impostor=len(impostor),
        images=len(pairs.names),
        undetected=int((~embeddings.detected[row] & present).sum()),
        unreadable=int((~present).sum()),
        why_unreadable="" if present.all() else _first_reason(embeddings, pairs.names[int(present.argmin())]),
        skipped_pairs=len(pairs) - len(kept),
        reasons={name: why for name, why in reasons.items() if why},
    )


def _first_reason(embeddings: "Embeddings", name: str) -> str:
    return f"{name}: {reason_of(embeddings, name)}"


def why_no_figures(scores: np.ndarray, same: np.ndarray) -> str:
    """Why scores allow no figures; empty if they do."""
    if same.all():
        return "no impostor pairs"
    if not same.any():
        return "no genuine pairs"
    return "all scores are equal" if scores.min() == scores.max() else ""


def _too_few_folds(pairs: Pairs) -> str:
    return "a single fold" if pairs.folds < 2 else ""


def why_no_accuracy_of_folds(pairs: Pairs) -> str:
    """Why folds give no accuracy; empty if they do: a threshold needs pairs of both kinds outside the fold."""
    if _too_few_folds(pairs):
        return _too_few_folds(pairs)
    kinds = [set(pairs.same[pairs.fold == fold].tolist()) for fold in range(pairs.folds)]
    if all(len(kind) < 2 for kind in kinds):
        return "each fold has only genuine pairs or only impostor pairs"
    for fold in range(pairs.folds):
        others = set().union(*(kind for number, kind in enumerate(kinds) if number != fold))
        if len(others) < 2:
            return f"outside fold {fold + 1} all pairs are of one kind"
    return ""


def without_missed(pairs: Pairs, detected: np.ndarray, on_miss: str) -> Pairs:
    """The pairs that are kept under ``on_miss``.

    Args:
        pairs: the list.
        detected: bool, one per name.
        on_miss: ``centre``, ``skip`` or ``fail``.

    Raises:
        DatasetError: a face was missed with ``fail``, a fold became empty with ``skip``, or ``on_miss`` is unknown.
    """
    if on_miss not in ON_MISS:
        raise DatasetError(f"on_miss {on_miss!r} is unknown; choose one of {', '.join(ON_MISS)}")
    undetected = int((~detected).sum())
    if undetected and on_miss == "fail":
        first = pairs.names[int((~detected).argmax())]
        used = f"use {parameter('on_miss', 'centre')} or {parameter('on_miss', 'skip')}"
        raise DatasetError(f"{first}: no face found, nor in {undetected - 1} more images; {used}")
    if on_miss != "skip":
        return pairs
    kept = pairs.take(detected[pairs.left] & detected[pairs.right])
    for fold in range(pairs.folds):
        if not (kept.fold == fold).any():
            use = parameter("on_miss", "centre")
            raise DatasetError(f"fold {fold + 1} has no pairs left without skipped images; use {use}")
    return kept


def _judged(mu: np.ndarray | None, scores: np.ndarray, pairs: Pairs, rule: str) -> Judged:
    return judge_scores(scores, pairs, rule) if mu is None else ACCURACY_RULES[rule].judge(mu, pairs)


def _validation(mu: np.ndarray, pairs: Pairs) -> ValidationRate:
    return validation_rate(squared_distances(mu, pairs), pairs)


def _require_finite(embeddings: "Embeddings", names: Sequence[str], row: np.ndarray) -> None:
    finite = np.isfinite(embeddings.mu).all(1)[row] | (row < 0)
    if not finite.all():
        first = names[int((~finite).argmax())]
        raise DatasetError(f"{first}: its embedding is not finite; check the model {embeddings.model} and embed again")
