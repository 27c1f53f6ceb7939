"""How sure an embedding is of its face: one number per face, larger is surer."""

import numpy as np

from facepipe.embedding import Embeddings


def confidence_kind(embeddings: Embeddings) -> str:
    """What stands for confidence: ``kappa`` (SCF), ``sigma2`` (PFE, ProbFace), or ``norm`` where there is neither.

    It is at once the name of the rule by which `facepipe.score.pool` weighs several images by it.
    """
    if embeddings.kappa is not None:
        return "kappa"
    return "sigma2" if embeddings.sigma2 is not None else "norm"


def confidence(embeddings: Embeddings) -> np.ndarray:
    """κ; the mean over dimensions of 1/σ²; or ‖mu‖, which networks trained with softmax make longer for clear faces.

    The numbers of two models, or of two kinds, cannot be compared.

    Returns:
        float64 N.
    """
    if embeddings.kappa is not None:
        return embeddings.kappa.astype(np.float64)
    if embeddings.sigma2 is not None:
        return (1 / embeddings.sigma2.astype(np.float64)).mean(1)
    return np.linalg.norm(embeddings.mu.astype(np.float64), axis=1)
