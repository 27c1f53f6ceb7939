"""The probability that a model's card states for pairs of faces."""

import numpy as np

from facepipe.embedding import Embeddings
from facepipe.protocols.risk.uncertainty import uncertainty
from facepipe.score import Logistic, probability
from facepipe.zoo import Probability


def pair_confidence(embeddings: Embeddings, left: np.ndarray, right: np.ndarray) -> np.ndarray | None:
    """How sure the model is of the face of each pair of which it is less sure: log κ or −log σ², float64 M.

    Of a σ² per dimension the harmonic mean counts. None without either.

    Args:
        embeddings: of faces.
        left, right: int64 M, rows.
    """
    if embeddings.kappa is not None:
        sure = np.log(np.maximum(-uncertainty("kappa", embeddings), np.finfo(np.float64).tiny))
    elif embeddings.sigma2 is not None:
        sure = -np.log(np.maximum(uncertainty("sigma2", embeddings), np.finfo(np.float64).tiny))
    else:
        return None
    return np.minimum(sure[left], sure[right])


def stated_probability(
    curve: Probability,
    scores: np.ndarray,
    embeddings: Embeddings,
    left: np.ndarray,
    right: np.ndarray,
    prior: float = 0.5,
) -> np.ndarray:
    """Probability that each pair shows one person, float64 M.

    Args:
        curve: of the model's card, for such scores.
        scores: float M.
        embeddings: by that model.
        left, right: int64 M, rows of the pairs.
        prior: before anyone looked.

    Raises:
        FacepipeError: the prior is 0, 1 or outside, or the curve needs a confidence that the embeddings have not.
    """
    fields = {name: getattr(curve, name) for name in Logistic._fields}
    return probability(scores, Logistic(**fields), prior, pair_confidence(embeddings, left, right))
