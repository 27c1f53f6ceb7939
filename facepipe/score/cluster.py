"""Clustering of faces with scikit-learn (an extra)."""

from typing import Any

import numpy as np

from facepipe.errors import EmbeddingsError, FacepipeError, MissingExtraError
from facepipe.score.candidates_numpy import NOT_FINITE
from facepipe.score.cosine import unit

METHODS = ("average", "dbscan", "hdbscan")
_MOST = 20_000


def cluster(mu: np.ndarray, method: str, same: float, smallest: int = 2) -> np.ndarray:
    """The cluster of each face.

    Args:
        mu: float N×D.
        method: ``average`` merges the two clusters with the highest mean cosine until none reaches ``same``
            (AgglomerativeClustering; N² memory, so at most 20,000 faces); ``dbscan`` merges all faces linked by a
            chain with cosines of at least ``same`` (DBSCAN); ``hdbscan`` finds dense regions and needs no cosine
            (HDBSCAN).
        same: minimum cosine of two faces of one person.
        smallest: clusters of fewer faces are dissolved.

    Returns:
        int64 N: 0 for the largest cluster, and so on; −1 for faces in none.

    Raises:
        FacepipeError: unknown method, or too many faces for it.
        EmbeddingsError: a value is not finite, an embedding is zero, or ``same`` is not a cosine.
        MissingExtraError: scikit-learn is not installed.
    """
    if method not in METHODS:
        raise FacepipeError(f"clustering method {method!r} is unknown; choose one of {', '.join(METHODS)}")
    if method == "average" and len(mu) > _MOST:
        raise FacepipeError(f"{len(mu):,} faces are too many for method average ({_MOST:,}); use dbscan or hdbscan")
    if not np.isfinite(mu).all():
        raise EmbeddingsError(NOT_FINITE)
    if not -1 <= same <= 1:
        raise EmbeddingsError(f"{same} is not a cosine; choose one from -1 to 1")
    if not np.any(mu, axis=1).all():
        raise EmbeddingsError("an embedding is zero: the file is damaged; embed again")
    if len(mu) < max(2, smallest):
        return _by_size(np.zeros(len(mu), np.int64), smallest)
    return _by_size(_LABELS[method](unit(mu).astype(np.float32), same, max(2, smallest)), smallest)


def _average(vectors: np.ndarray, same: float, _: int) -> np.ndarray:
    cluster_ = _sklearn("AgglomerativeClustering")
    # Slightly larger, so that a mean of exactly `same` still merges.
    fitted = cluster_(n_clusters=None, distance_threshold=1 - same + 1e-6, metric="cosine", linkage="average")
    return np.asarray(fitted.fit(vectors).labels_, np.int64)


def _dbscan(vectors: np.ndarray, same: float, smallest: int) -> np.ndarray:
    # On the unit sphere ‖a − b‖² = 2 − 2cosθ, and Euclidean neighbours are found without an N×N matrix.
    fitted = _sklearn("DBSCAN")(eps=max(1e-6, (2 - 2 * same) ** 0.5), min_samples=smallest)
    return np.asarray(fitted.fit(vectors).labels_, np.int64)


def _hdbscan(vectors: np.ndarray, _: float, smallest: int) -> np.ndarray:
    fitted = _sklearn("HDBSCAN")(min_cluster_size=smallest, copy=False)
    return np.asarray(fitted.fit(vectors).labels_, np.int64)


_LABELS = {"average": _average, "dbscan": _dbscan, "hdbscan": _hdbscan}


def _sklearn(name: str) -> Any:
    try:
        import sklearn.cluster
    except ImportError as error:
        raise MissingExtraError("clustering needs scikit-learn; pip install 'facepipe[cluster]'") from error
    return getattr(sklearn.cluster, name)


def _by_size(labels: np.ndarray, smallest: int) -> np.ndarray:
    """Renumber clusters by size, largest first; ties by first face."""
    groups, first, counts = np.unique(labels, return_index=True, return_counts=True)
    order = [n for n in np.lexsort((first, -counts)) if groups[n] >= 0 and counts[n] >= smallest]
    out = np.full(len(labels), -1, np.int64)
    for number, n in enumerate(order):
        out[labels == groups[n]] = number
    return out
