"""The probability that a model's card assigns to pairs of faces."""

import numpy as np

from facepipe.embedding import Embeddings
from facepipe.protocols.risk.uncertainty import uncertainty
from facepipe.score import Logistic, probability
from facepipe.zoo import Probability


def pair_confidence(embeddings: Embeddings, left: np.ndarray, right: np.ndarray) -> np.ndarray | None:
    """The lower confidence of each pair's two faces: log κ or −log σ², float64 M.

    For σ² per dimension, its harmonic mean is used. None without either.

    Args:
        embeddings: of faces.
        left, right: int64 M, rows.
    """
    if embeddings.kappa is not None:
        confidence = np.log(np.maximum(-uncertainty("kappa", embeddings), np.finfo(np.float64).tiny))
    elif embeddings.sigma2 is not None:
        confidence = -np.log(np.maximum(uncertainty("sigma2", embeddings), np.finfo(np.float64).tiny))
    else:
        return None
    return np.minimum(confidence[left], confidence[right])


def stated_probability(
    curve: Probability,
    scores: np.ndarray,
    embeddings: Embeddings,
    left: np.ndarray,
    right: np.ndarray,
    prior: float = 0.5,
) -> np.ndarray:
    """Probability that each pair shows the same person, float64 M.

    Args:
        curve: from the model's card, for this kind of score.
        scores: float M.
        embeddings: by that model.
        left, right: int64 M, rows of the pairs.
        prior: prior probability.

    Raises:
        FacepipeError: the prior is not between 0 and 1, or the curve needs a confidence that the embeddings lack.
    """
    fields = {name: getattr(curve, name) for name in Logistic._fields}
    return probability(scores, Logistic(**fields), prior, pair_confidence(embeddings, left, right))
