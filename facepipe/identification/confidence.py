"""Confidence of an embedding: one number per face, larger means more confident."""

import numpy as np

from facepipe.embedding import Embeddings


def confidence_kind(embeddings: Embeddings) -> str:
    """The measure of confidence: ``kappa`` (SCF), ``sigma2`` (PFE, ProbFace), or ``norm`` without either.

    This is also the name of the `facepipe.score.pool` rule that uses it as weight.
    """
    if embeddings.kappa is not None:
        return "kappa"
    return "sigma2" if embeddings.sigma2 is not None else "norm"


def confidence(embeddings: Embeddings) -> np.ndarray:
    """κ; the mean over dimensions of 1/σ²; or ‖mu‖, which in softmax-trained networks is larger for clear faces.

    Values of different models or kinds are not comparable.

    Returns:
        float64 N.
    """
    if embeddings.kappa is not None:
        return embeddings.kappa.astype(np.float64)
    if embeddings.sigma2 is not None:
        return (1 / embeddings.sigma2.astype(np.float64)).mean(1)
    return np.linalg.norm(embeddings.mu.astype(np.float64), axis=1)
