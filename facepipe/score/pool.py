"""Templates: several images of one person become one embedding."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from facepipe.errors import EmbeddingsError
from facepipe.score.pool_sigma2 import VARIANCE, inverse_variance, posterior

if TYPE_CHECKING:
    from facepipe.embedding import Embeddings

_ROWS = 2_048


def pool(
    embeddings: "Embeddings",
    template: np.ndarray,
    rule: str,
    media: np.ndarray | None = None,
    count: int | None = None,
    media_weights: str = "together",
    temperature: float = 1.0,
) -> "Embeddings":
    """One embedding per template. With u_i = mu_i/‖mu_i‖, the rules are

    * ``mean``: Σu_i/n;
    * ``norm``: Σmu_i/n, so that the feature norm is the weight (insightface's IJB script as it is published);
    * ``max``: the largest u_i per dimension;
    * ``kappa``: Σκ_i u_i/Σκ_i (SCF, Eq. 14);
    * ``sigma2``: Σσ_i^−2 u_i/Σσ_i^−2 per dimension (PFE).
    * ``sigma2-min``, ``sigma2-mean``: the same, and only the template's σ² is another, see `pool_sigma2`. ProbFace is
      ``sigma2-mean`` with one σ² for a face; its program's weights are (σ_i^−2 + 10⁻⁶)^(1/T).

    With ``media`` the mean is taken inside each medium of a template, and the media are then summed (IJB; for
    ``max`` the largest is taken), so that a long video does not outvote a photo. The rules that weigh by confidence
    let a medium count what its images weigh together: Eq. 14 over all images. Under ``media_weights="equal"`` they
    weigh inside each medium alone, and where each medium is one photo that is the plain mean.

    The result's mu is not normalised: under ``mean`` without media, ``kappa`` and ``sigma2`` its length is the
    (weighted) mean resultant length. Whatever the rule, where there is kappa a template's is ‖Σκ_i u_i‖: the images'
    densities multiplied are again von Mises-Fisher, with that concentration. The frames of a medium are no
    independent looks, and the mean of their κ_i u_i stands for all of them. Where there is sigma2 a template's is
    1/Σσ_i^−2, the variance of the product of normal densities, unless the rule has another.

    Args:
        embeddings: of N images.
        template: int64 N, 0 … T−1, in any order.
        rule: one of `POOLS`.
        media: int64 N, any numbers; the same number in two templates is two media.
        count: T, where the last templates may have no image; None takes the largest ``template`` + 1.
        media_weights: one of `MEDIA_WEIGHTS`; of no effect without ``media``, nor on ``mean``, ``norm`` and ``max``.
        temperature: T > 0 of ProbFace: confidence weights are raised to 1/T, so that a large T weighs more evenly.

    Returns:
        `Embeddings` of T rows without paths. A template without images has mu 0, kappa 0, sigma2 inf and
        ``detected`` False.

    Raises:
        EmbeddingsError: unknown rule or media weights, no kappa or sigma2 where the rule needs it, a temperature
            that is not above 0, or lists that do not fit.
    """
    if media_weights not in MEDIA_WEIGHTS:
        raise EmbeddingsError(f"media weights {media_weights!r} are unknown; choose one of {', '.join(MEDIA_WEIGHTS)}")
    weight = _weights(embeddings, rule, temperature)
    template = np.asarray(template, np.int64)
    media = None if media is None else np.asarray(media, np.int64)
    count = _count(template, media, len(embeddings), count)
    order = np.argsort(template, kind="stable") if media is None else np.lexsort((media, template))
    pooled = _empty(embeddings, count)
    for rows in _whole_templates(order, template):
        mu, ids = embeddings.mu[rows], template[rows]
        outer = _labels(ids)
        inner = None if media is None else _labels(ids, media[rows])
        into = ids[_starts(outer)]
        shrink = _one_over_length(mu)
        scale = np.ones_like(shrink) if rule == "norm" else shrink
        weights = None if weight is None else weight(rows)
        # A medium's weighted mean times what its images weigh together is their weighted sum.
        means = inner if weights is None or media_weights == "equal" else None
        pooled.mu[into] = _joined(mu, scale, weights, means, outer, rule == "max")
        pooled.detected[into] = np.logical_or.reduceat(embeddings.detected[rows], _starts(outer))
        if embeddings.kappa is not None and pooled.kappa is not None:
            natural = shrink * embeddings.kappa[rows, None]
            pooled.kappa[into] = np.linalg.norm(_summed(mu, natural, inner, outer), axis=1)
        if embeddings.sigma2 is not None and pooled.sigma2 is not None:
            sigma2 = embeddings.sigma2[rows].astype(np.float64)
            combine = VARIANCE.get(rule, posterior)
            pooled.sigma2[into] = combine(sigma2, 1 / sigma2 if weights is None else weights, _starts(outer))
    return pooled


def _joined(
    mu: np.ndarray, scale: np.ndarray, weight: np.ndarray | None, inner: np.ndarray | None, outer: np.ndarray, top: bool
) -> np.ndarray:
    """Weighted means of scale·mu inside the inner groups, summed over the outer ones, or their largest; T×D.

    Without inner groups the mean is over the outer ones; for the largest every row stands alone.
    """
    if top:
        alone = mu * scale if inner is None else _means(mu, scale, weight, inner)
        return np.maximum.reduceat(alone, _starts(outer if inner is None else outer[_starts(inner)]))
    if inner is None:
        return _means(mu, scale, weight, outer)
    return _sums(_means(mu, scale, weight, inner), outer[_starts(inner)])


def _summed(mu: np.ndarray, scale: np.ndarray, inner: np.ndarray | None, outer: np.ndarray) -> np.ndarray:
    """scale·mu summed over the outer groups, the mean standing for an inner one; T×D."""
    return _sums(mu * scale, outer) if inner is None else _joined(mu, scale, None, inner, outer, False)


def _means(mu: np.ndarray, scale: np.ndarray, weight: np.ndarray | None, group: np.ndarray) -> np.ndarray:
    if weight is None:
        return _sums(mu * scale, group) / np.bincount(group)[:, None]
    if weight.shape[1] > 1:
        # Flip concatenation repeats the dimensions that the head was trained in.
        weight = np.tile(weight, mu.shape[1] // weight.shape[1])
    total = _sums(weight, group)
    return _sums(mu * (scale * weight), group) / np.where(total > 0, total, 1)


def _sums(values: np.ndarray, group: np.ndarray) -> np.ndarray:
    """float64 rows summed by ascending group numbers 0, 1, …"""
    # NumPy's reduceat takes ten times as long along the first axis, and torch's index_add_ a hundred times where its
    # threads wait for a busy core.
    from scipy.sparse import csr_array

    ends = np.append(0, np.cumsum(np.bincount(group)))
    members = csr_array((np.ones(len(group)), np.arange(len(group)), ends), shape=(len(ends) - 1, len(group)))
    return np.asarray(members @ values)


def _one_over_length(mu: np.ndarray) -> np.ndarray:
    """float64 N×1; 0 for a zero row."""
    length = np.sqrt(np.einsum("nd,nd->n", mu, mu, dtype=np.float64))[:, None]
    return np.divide(1, length, out=np.zeros_like(length), where=length > 0)


WEIGHING = ("kappa", *VARIANCE)
"""The rules that weigh by confidence."""
POOLS = ("mean", "norm", "max", *WEIGHING)
MEDIA_WEIGHTS = ("together", "equal")


def _weights(embeddings: "Embeddings", rule: str, temperature: float) -> Callable[[np.ndarray], np.ndarray] | None:
    """Rows → weights n×K, or None where all count alike."""
    if rule not in POOLS:
        raise EmbeddingsError(f"pooling rule {rule!r} is unknown; choose one of {', '.join(POOLS)}")
    if not temperature > 0:
        raise EmbeddingsError(f"a temperature must be above 0, not {temperature:g}")
    if rule not in WEIGHING:
        return None
    name = "kappa" if rule == "kappa" else "sigma2"
    kappa, sigma2 = embeddings.kappa, embeddings.sigma2
    if name == "kappa" and kappa is not None:
        return lambda rows: kappa[rows, None].astype(np.float64) ** (1 / temperature)
    if name == "sigma2" and sigma2 is not None:
        if embeddings.dim % sigma2.shape[1]:
            raise EmbeddingsError(f"sigma2 of {sigma2.shape[1]} dimensions does not fit {embeddings.dim}-d embeddings")
        return lambda rows: inverse_variance(sigma2[rows], rule) ** (1 / temperature)
    raise EmbeddingsError(
        f"embeddings of {embeddings.model} have no {name}, which pooling by {rule} needs; "
        f"embed the images with a model that has a {name} head, or pool by mean"
    )


def _count(template: np.ndarray, media: np.ndarray | None, rows: int, count: int | None) -> int:
    if template.shape != (rows,) or (media is not None and media.shape != (rows,)):
        raise EmbeddingsError(f"pooling needs one template, and one medium if any, for each of {rows} embeddings")
    lowest, largest = int(template.min(initial=0)), int(template.max(initial=-1)) + 1
    if lowest < 0 or (count is not None and count < largest):
        wanted = "T−1" if count is None else count - 1
        raise EmbeddingsError(f"templates must be numbered 0 … {wanted}, but these run from {lowest} to {largest - 1}")
    return largest if count is None else count


def _empty(embeddings: "Embeddings", count: int) -> "Embeddings":
    kappa, sigma2 = embeddings.kappa, embeddings.sigma2
    return replace(
        embeddings,
        mu=np.zeros((count, embeddings.dim), np.float32),
        paths=(),
        detected=np.zeros(count, bool),
        failed=(),
        kappa=None if kappa is None else np.zeros(count, np.float32),
        sigma2=None if sigma2 is None else np.full((count, sigma2.shape[1]), np.inf, np.float32),
        detection_score=None,
    )


def _whole_templates(order: np.ndarray, template: np.ndarray) -> Iterator[np.ndarray]:
    """``order`` in parts of about `_ROWS` rows that cut no template."""
    ends = np.append(_starts(_labels(template[order]))[1:], len(order))
    first = 0
    while first < len(order):
        last = int(ends[np.searchsorted(ends, min(first + _ROWS, len(order)))])
        yield order[first:last]
        first = last


def _labels(*keys: np.ndarray) -> np.ndarray:
    """Groups of sorted rows numbered 0, 1, …: a new one where any key changes."""
    changes = np.zeros(len(keys[0]), np.int64)
    for key in keys:
        changes[1:] |= key[1:] != key[:-1]
    return np.cumsum(changes)


def _starts(group: np.ndarray) -> np.ndarray:
    """The first row of each group of `_labels`."""
    return np.searchsorted(group, np.arange(group[-1] + 1 if len(group) else 0))
