"""Labeled Faces in the Wild, view 2 (Huang et al. 2007)."""

from collections.abc import Mapping

import numpy as np

from facepipe.datasets.pairs import Pairs
from facepipe.embed import Embeddings
from facepipe.errors import DatasetError
from facepipe.protocols.result import Result
from facepipe.protocols.tenfold import RULES, mean_and_error

MISSES = ("centre", "skip", "fail")


def evaluate_lfw(embeddings: Embeddings, pairs: Pairs, rule: str = "sphereface", on_miss: str = "centre") -> Result:
    """Ten-fold verification accuracy.

    Args:
        embeddings: of the images of ``pairs``; paths end in ``name/name_0001`` with any extension.
        pairs: from `read_lfw_pairs`.
        rule: ``sphereface`` or ``insightface``, see `facepipe.protocols.tenfold`.
        on_miss: what becomes of images without a detected face: ``centre`` uses the embedding of the
            image's centre that stood in for it, ``skip`` leaves their pairs out, ``fail`` is an error.

    Raises:
        DatasetError: unknown rule or on_miss, images are missing, too many are skipped, or embeddings are NaN.
    """
    if rule not in RULES:
        raise DatasetError(f"rule {rule!r} is unknown; choose one of {', '.join(RULES)}")
    if on_miss not in MISSES:
        raise DatasetError(f"on_miss {on_miss!r} is unknown; choose one of {', '.join(MISSES)}")
    row, detected = _rows(embeddings, pairs)
    undetected = int((~detected).sum())
    if undetected and on_miss == "fail":
        first = pairs.names[int((~detected).argmax())]
        raise DatasetError(f"{first}: no face found, nor in {undetected - 1} more; use --on-miss centre or skip")
    kept = pairs
    if on_miss == "skip":
        kept = _kept(pairs, detected)
    mu = embeddings.mu[row]
    finite = np.isfinite(mu).all(1)
    if not finite.all():
        first = pairs.names[int((~finite).argmax())]
        raise DatasetError(f"{first}: its embedding is not finite; check the model {embeddings.model}, embed again")
    folds = RULES[rule](mu, kept)
    accuracy, error = mean_and_error(folds)
    settings = {
        "model": embeddings.model,
        "flip": embeddings.flip,
        "rule": rule,
        "score": "cosine",
        "images": len(pairs.names),
        "pairs": len(kept),
        "undetected": undetected,
        "on_miss": on_miss,
    }
    return Result("lfw", accuracy, error, tuple(folds), settings)


def _kept(pairs: Pairs, detected: np.ndarray) -> Pairs:
    kept = pairs.take(detected[pairs.left] & detected[pairs.right])
    for fold in range(pairs.folds):
        if not (kept.fold == fold).any():
            raise DatasetError(f"fold {fold + 1} has no pairs left without missed faces; use --on-miss centre")
    return kept


def _rows(embeddings: Embeddings, pairs: Pairs) -> tuple[np.ndarray, np.ndarray]:
    """Row of each name and whether its face was detected."""
    by_name = _by_name(embeddings)
    missing = [name for name in pairs.names if name not in by_name]
    if missing:
        reasons = dict(embeddings.failed)
        reason = next((text for path, text in reasons.items() if _name(path) == missing[0]), "not in the embeddings")
        raise DatasetError(f"{missing[0]}: {reason} ({len(missing)} of {len(pairs.names)} images are missing)")
    row = np.array([by_name[name] for name in pairs.names])
    return row, embeddings.detected[row]


def _by_name(embeddings: Embeddings) -> Mapping[str, int]:
    return {_name(path): row for row, path in enumerate(embeddings.paths)}


def _name(path: str) -> str:
    folder, _, file = path.replace("\\", "/").rpartition("/")
    return f"{folder.rpartition('/')[2]}/{file.rpartition('.')[0]}"
