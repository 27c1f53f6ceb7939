"""Confidence measures of faces on one scale: uncertainty, higher is worse."""

import numpy as np

from facepipe.embedding import Embeddings
from facepipe.errors import DatasetError, EmbeddingsError

CONFIDENCES = ("kappa", "sigma2", "detection_score", "norm", "random")
PAIR_RULES = ("max", "sum")


def uncertainty(name: str, embeddings: Embeddings, seed: int = 0) -> np.ndarray:
    """The uncertainty of each face, float64 N: confidences have their sign reversed.

    * ``kappa``: −κ (SCF).
    * ``sigma2``: σ² (PFE, ProbFace); for a vector σ², the harmonic mean over dimensions.
    * ``detection_score``: minus the detection score, which is 0 if no face was found.
    * ``norm``: −‖μ‖, with the embedding as output by the network.
    * ``random``: uniform random numbers with ``seed``, the baseline.

    Raises:
        DatasetError: the name is unknown.
        EmbeddingsError: the embeddings lack the confidence, or a value is not finite.
    """
    if name not in CONFIDENCES:
        raise DatasetError(f"confidence {name!r} is unknown; choose from {', '.join(CONFIDENCES)}")
    if name == "random":
        return np.random.default_rng(seed).random(len(embeddings))
    if name == "norm":
        values = -np.linalg.norm(embeddings.mu.astype(np.float64), axis=1)
    elif name == "kappa":
        values = -_field(embeddings, "kappa", "a model with a kappa head")
    elif name == "sigma2":
        values = _one_sigma2(_field(embeddings, "sigma2", "a model with a PFE or ProbFace head"))
    else:
        values = -_detection_score(embeddings)
    finite = np.isfinite(values)
    if not finite.all():
        row = int((~finite).argmax())
        where = embeddings.paths[row] if embeddings.paths else f"row {row}"
        raise EmbeddingsError(f"{where}: its {name} is not finite; check the model {embeddings.model} and embed again")
    return values


def pair_uncertainty(values: np.ndarray, left: np.ndarray, right: np.ndarray, rule: str = "max") -> np.ndarray:
    """The uncertainty of pairs, float64 M: ``max`` (the worse face decides) or ``sum`` of the two.

    For a confidence, whose sign is reversed, ``max`` is minus the smaller of the two.

    Args:
        values: N, from `uncertainty`.
        left, right: int64 M, rows.
        rule: one of `PAIR_RULES`.

    Raises:
        DatasetError: the rule is unknown.
    """
    if rule not in PAIR_RULES:
        raise DatasetError(f"pair rule {rule!r} is unknown; choose one of {', '.join(PAIR_RULES)}")
    return np.maximum(values[left], values[right]) if rule == "max" else values[left] + values[right]


def _field(embeddings: Embeddings, name: str, source: str) -> np.ndarray:
    values = getattr(embeddings, name)
    if values is None:
        raise EmbeddingsError(f"embeddings of {embeddings.model} have no {name}; embed with {source}")
    return np.asarray(values, np.float64)


def _one_sigma2(sigma2: np.ndarray) -> np.ndarray:
    if sigma2.shape[1] == 1:
        return sigma2[:, 0]
    with np.errstate(divide="ignore"):
        return 1 / (1 / sigma2).mean(1)


def _detection_score(embeddings: Embeddings) -> np.ndarray:
    scores = _field(embeddings, "detection_score", "facepipe from raw photos, whose faces it detects")
    if len(scores) and np.isnan(scores).all():
        raise EmbeddingsError("no face was detected in any image, so there is no detection_score; use raw photos")
    return np.nan_to_num(scores, nan=0.0)
