"""Template pooling: combine several images of one person into one embedding."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from facepipe.errors import EmbeddingsError
from facepipe.score.groups import labels, starts, sums
from facepipe.score.poolings import POOLINGS, Pooling, weighted_means

if TYPE_CHECKING:
    from facepipe.embedding import Embeddings

MEDIA_WEIGHTS = ("together", "equal")
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
    * ``norm``: Σmu_i/n, i.e. weighted by feature norm (insightface's published IJB script);
    * ``max``: the largest u_i per dimension;
    * ``kappa``: Σκ_i u_i/Σκ_i (SCF, Eq. 14);
    * ``sigma2``: Σσ_i^−2 u_i/Σσ_i^−2 per dimension (PFE).
    * ``sigma2-min``, ``sigma2-mean``: the same mu with another σ² of the template, see
      `facepipe.score.poolings.sigma2`. ProbFace is ``sigma2-mean`` with one σ² per face; its program's weights are
      (σ_i^−2 + 10⁻⁶)^(1/T).

    With ``media`` the mean is taken within each medium of a template, and the media are then summed (IJB; for
    ``max`` the largest is taken), so that a long video does not outvote a photo. For rules that weight by confidence,
    a medium has the total weight of its images: Eq. 14 over all images. With ``media_weights="equal"`` they weight
    only within each medium; if each medium is one photo, that is the plain mean.

    The result's mu is not normalised: for ``mean`` without media, ``kappa`` and ``sigma2`` its length is the
    (weighted) mean resultant length. For any rule, kappa of a template is ‖Σκ_i u_i‖: the product of the images'
    densities is again von Mises-Fisher, with that concentration. Frames of a medium are not independent, so the mean
    of their κ_i u_i is used once for all of them. sigma2 of a template is 1/Σσ_i^−2, the variance of the product of
    normal densities, unless the rule defines another.

    Args:
        embeddings: of N images.
        template: int64 N, 0 … T−1, in any order.
        rule: one of `POOLINGS`.
        media: int64 N, any numbers; equal numbers in different templates are different media.
        count: T, if the last templates may have no images; None means the largest ``template`` + 1.
        media_weights: one of `MEDIA_WEIGHTS`; no effect without ``media``, or on ``mean``, ``norm`` and ``max``.
        temperature: T > 0 of ProbFace: confidence weights are raised to 1/T, so that a large T makes them more equal.

    Returns:
        `Embeddings` of T rows without paths. A template without images has mu 0, kappa 0, sigma2 inf and
        ``detected`` False.

    Raises:
        EmbeddingsError: unknown rule or media weights, embeddings without the kappa or sigma2 that the rule needs, a
            temperature that is not positive, or lists that do not match.
    """
    if media_weights not in MEDIA_WEIGHTS:
        raise EmbeddingsError(f"media weights {media_weights!r} are unknown; choose one of {', '.join(MEDIA_WEIGHTS)}")
    pooling = POOLINGS[rule]
    confidence = _confidence(embeddings, rule, pooling, temperature)
    template = np.asarray(template, np.int64)
    media = None if media is None else np.asarray(media, np.int64)
    count = _count(template, media, len(embeddings), count)
    order = np.argsort(template, kind="stable") if media is None else np.lexsort((media, template))
    pooled = _empty(embeddings, count)
    for rows in _whole_templates(order, template):
        mu, ids = embeddings.mu[rows], template[rows]
        outer = labels(ids)
        inner = None if media is None else labels(ids, media[rows])
        into = ids[starts(outer)]
        inverse_length = _inverse_length(mu)
        scale = inverse_length if pooling.unit else np.ones_like(inverse_length)
        weights = _weights(confidence, rows, pooling, temperature)
        # A medium's weighted mean times the total weight of its images is their weighted sum.
        groups = inner if weights is None or media_weights == "equal" else None
        pooled.mu[into] = pooling.join(mu, scale, weights, groups, outer)
        pooled.detected[into] = np.logical_or.reduceat(embeddings.detected[rows], starts(outer))
        if embeddings.kappa is not None and pooled.kappa is not None:
            scaled = inverse_length * embeddings.kappa[rows, None]
            pooled.kappa[into] = np.linalg.norm(_summed(mu, scaled, inner, outer), axis=1)
        if embeddings.sigma2 is not None and pooled.sigma2 is not None:
            sigma2 = embeddings.sigma2[rows].astype(np.float64)
            pooled.sigma2[into] = pooling.variance(sigma2, 1 / sigma2 if weights is None else weights, starts(outer))
    return pooled


def _summed(mu: np.ndarray, scale: np.ndarray, inner: np.ndarray | None, outer: np.ndarray) -> np.ndarray:
    """scale·mu summed over the outer groups, with the mean of each inner group; T×D."""
    return sums(mu * scale, outer) if inner is None else weighted_means(mu, scale, None, inner, outer)


def _inverse_length(mu: np.ndarray) -> np.ndarray:
    """float64 N×1; 0 for zero rows."""
    length = np.sqrt(np.einsum("nd,nd->n", mu, mu, dtype=np.float64))[:, None]
    return np.divide(1, length, out=np.zeros_like(length), where=length > 0)


def _confidence(embeddings: "Embeddings", rule: str, pooling: Pooling, temperature: float) -> np.ndarray | None:
    """The field that the rule computes weights from, N×K; None if all images have equal weight."""
    if not temperature > 0:
        raise EmbeddingsError(f"the temperature must be above 0, not {temperature:g}")
    field = pooling.needs
    if field is None:
        return None
    values: np.ndarray | None = getattr(embeddings, field)
    if values is None:
        raise EmbeddingsError(
            f"embeddings of {embeddings.model} have no {field}, which pooling {rule} needs; "
            f"embed the images with a model that has a {field} head, or pool by mean"
        )
    columns = values if values.ndim == 2 else values[:, None]
    if embeddings.dim % columns.shape[1]:
        raise EmbeddingsError(f"{field} of {columns.shape[1]} dimensions does not match {embeddings.dim}-d embeddings")
    return columns


def _weights(
    confidence: np.ndarray | None, rows: np.ndarray, pooling: Pooling, temperature: float
) -> np.ndarray | None:
    if confidence is None or pooling.weight is None:
        return None
    return pooling.weight(confidence[rows].astype(np.float64)) ** (1 / temperature)


def _count(template: np.ndarray, media: np.ndarray | None, rows: int, count: int | None) -> int:
    if template.shape != (rows,) or (media is not None and media.shape != (rows,)):
        raise EmbeddingsError(f"pooling needs one template, and one medium if any, for each of {rows} embeddings")
    lowest, largest = int(template.min(initial=0)), int(template.max(initial=-1)) + 1
    if lowest < 0 or (count is not None and count < largest):
        wanted = "T−1" if count is None else count - 1
        raise EmbeddingsError(
            f"templates must be numbered 0 … {wanted}, but these are numbered {lowest} … {largest - 1}"
        )
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
    """``order`` in parts of about `_ROWS` rows that do not split a template."""
    ends = np.append(starts(labels(template[order]))[1:], len(order))
    first = 0
    while first < len(order):
        last = int(ends[np.searchsorted(ends, min(first + _ROWS, len(order)))])
        yield order[first:last]
        first = last
