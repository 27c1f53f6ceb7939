"""Verification on any list of pairs: accuracy over folds, TAR at FAR, equal error rate and area."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from facepipe.datasets.pairs.lfw_pairs import Pairs
from facepipe.errors import DatasetError
from facepipe.protocols.result import Result, settings_of, tar_table
from facepipe.protocols.roc import FARS, area_under_curve, equal_error_rate, tar_at_far
from facepipe.protocols.rows import find_rows
from facepipe.protocols.verification.outcomes import Outcomes
from facepipe.protocols.verification.tenfold import RULES, deviation, judge_scores, mean_and_error, squared_distances
from facepipe.protocols.verification.validation_rate import validation_rate
from facepipe.score.pairs import score_pairs

if TYPE_CHECKING:
    from facepipe.embedding import Embeddings

MISSES = ("centre", "skip", "fail")


def evaluate_pairs(
    embeddings: "Embeddings",
    pairs: Pairs,
    rule: str = "insightface",
    on_miss: str = "centre",
    score: str = "cosine",
    fars: Sequence[float] = FARS,
    protocol: str = "pairs",
) -> Result:
    """Judge the pairs of a list.

    Figures: ``accuracy``, ``std_error``, ``std_dev`` and ``folds`` by the rule, under ``insightface`` with cosine also
    ``val`` (the fields of `ValidationRate`); ``eer``, ``auc`` and ``tar`` from the scores
    of all pairs together, without mean subtraction; counts of pairs, images and images without a face. What
    the data cannot tell is None, with the reason under ``reasons`` or in the TAR table.

    Args:
        embeddings: of the images of ``pairs``, in any order, see `find_rows`.
        pairs: in folds; with a single fold there is no accuracy.
        rule: ``sphereface``, ``insightface`` or ``pfe``, see `facepipe.protocols.verification.tenfold`. For another
            score than cosine they are `judge_scores`.
        on_miss: what becomes of images without a detected face: ``centre`` uses the embedding of the
            image's centre that stood in for it, ``skip`` leaves their pairs out, ``fail`` is an error.
        score: ``cosine``, ``scf`` or ``mls``, see `score_pairs`.
        fars: of the TAR table.
        protocol: what the result is called.

    Raises:
        DatasetError: unknown rule or on_miss, images are missing, too many are skipped, or embeddings are NaN.
        EmbeddingsError: the embeddings lack what the score needs.
    """
    if rule not in RULES:
        raise DatasetError(f"rule {rule!r} is unknown; choose one of {', '.join(RULES)}")
    row = find_rows(embeddings, pairs.names)
    _require_finite(embeddings, pairs.names, row)
    kept = without_missed(pairs, embeddings.detected[row], on_miss)
    scores = score_pairs(score, embeddings, row[kept.left], row[kept.right])
    accuracy, right = _accuracy(embeddings.mu[row] if score == "cosine" else None, scores, kept, rule)
    figures = {
        **accuracy,
        **score_figures(scores, kept.same, fars),
        "pairs": len(kept),
        "genuine": int(kept.same.sum()),
        "impostor": int((~kept.same).sum()),
        "images": len(pairs.names),
        "undetected": int((~embeddings.detected[row]).sum()),
    }
    reasons = accuracy.pop("reasons", {}) | figures.pop("reasons", {})
    settings = settings_of(embeddings, score=score, rule=rule, on_miss=on_miss, data=pairs.digest)
    return Result(
        protocol,
        figures | ({"reasons": reasons} if reasons else {}),
        settings,
        Outcomes(kept.same, right, scores.astype(np.float32), kept.digest),
    )


def score_figures(scores: np.ndarray, same: np.ndarray, fars: Sequence[float] = FARS) -> dict[str, Any]:
    """``eer``, ``auc`` and ``tar`` of scores, as JSON values; None, with ``reasons``, where there is no figure.

    Args:
        scores: float M, higher is more alike.
        same: bool M.
        fars: false-accept rates.
    """
    genuine, impostor = scores[same], scores[~same]
    reason = why_silent(scores, same)
    return {
        "eer": None if reason else equal_error_rate(genuine, impostor),
        "auc": None if reason else area_under_curve(genuine, impostor),
        "tar": tar_table(tar_at_far(genuine, impostor, fars)),
        **({"reasons": {"eer": reason, "auc": reason}} if reason else {}),
    }


def why_silent(scores: np.ndarray, same: np.ndarray) -> str:
    """Why scores tell nothing about same and different; empty when they do."""
    if same.all():
        return "no impostor pairs"
    if not same.any():
        return "no genuine pairs"
    return "all scores are equal" if scores.min() == scores.max() else ""


def without_missed(pairs: Pairs, detected: np.ndarray, on_miss: str) -> Pairs:
    """The pairs that ``on_miss`` leaves.

    Args:
        pairs: the list.
        detected: bool, one per name.
        on_miss: ``centre``, ``skip`` or ``fail``.

    Raises:
        DatasetError: ``fail`` and a face was missed, ``skip`` and a fold became empty, or an unknown word.
    """
    if on_miss not in MISSES:
        raise DatasetError(f"on_miss {on_miss!r} is unknown; choose one of {', '.join(MISSES)}")
    undetected = int((~detected).sum())
    if undetected and on_miss == "fail":
        first = pairs.names[int((~detected).argmax())]
        raise DatasetError(f"{first}: no face found, nor in {undetected - 1} more; use --on-miss centre or skip")
    if on_miss != "skip":
        return pairs
    kept = pairs.take(detected[pairs.left] & detected[pairs.right])
    for fold in range(pairs.folds):
        if not (kept.fold == fold).any():
            raise DatasetError(f"fold {fold + 1} has no pairs left without missed faces; use --on-miss centre")
    return kept


def _accuracy(
    mu: np.ndarray | None, scores: np.ndarray, pairs: Pairs, rule: str
) -> tuple[dict[str, Any], np.ndarray | None]:
    reason = why_silent(scores, pairs.same) or ("a single fold" if pairs.folds < 2 else "")
    if reason:
        missing: dict[str, Any] = {"accuracy": None, "std_error": None, "std_dev": None, "folds": []}
        return {**missing, "reasons": {"accuracy": reason}}, None
    judged = judge_scores(scores, pairs, rule) if mu is None else RULES[rule](mu, pairs)
    accuracy, error = mean_and_error(judged.folds)
    figures = {
        "accuracy": accuracy,
        "std_error": error,
        "std_dev": deviation(judged.folds),
        "folds": [dict(vars(fold)) for fold in judged.folds],
    }
    if mu is not None and rule == "insightface":
        figures["val"] = dict(vars(validation_rate(squared_distances(mu, pairs), pairs)))
    return figures, judged.right


def _require_finite(embeddings: "Embeddings", names: Sequence[str], row: np.ndarray) -> None:
    finite = np.isfinite(embeddings.mu).all(1)[row]
    if not finite.all():
        first = names[int((~finite).argmax())]
        raise DatasetError(f"{first}: its embedding is not finite; check the model {embeddings.model}, embed again")
