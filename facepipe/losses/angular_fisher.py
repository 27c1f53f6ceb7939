"""The angular Fisher score: angular scatter within identities relative to that between identities."""

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from facepipe.errors import EmbeddingsError


class AngularFisher:
    """Angular Fisher score of features in batches; memory grows with the number of identities, not of images.

    AFS = S_w/S_b, S_w = Σ_i Σ_{x∈X_i}(1 − cos⟨x, m_i⟩), S_b = Σ_i n_i(1 − cos⟨m_i, m⟩), with m_i the mean
    feature of identity i, n_i its number of features and m the mean of all features; lower is better
    (SphereFace App. E, Eq. 11). One pass suffices: Σ_{x∈X_i} cos⟨x, m_i⟩ = ⟨Σ x/‖x‖, m_i/‖m_i‖⟩.
    Sums are kept in float64. A zero vector has cosine 0 with everything.
    """

    def __init__(self) -> None:
        self._row: dict[int, int] = {}
        self._counts = np.zeros(0)
        self._sums = np.zeros((0, 0))
        self._unit_sums = np.zeros((0, 0))

    def update(self, features: ArrayLike | Tensor, labels: ArrayLike | Tensor) -> None:
        """Add a batch.

        Args:
            features: N×D embeddings, any floating dtype, array or tensor on any device; not normalised.
            labels: N integer identities, in any order, consistent across batches.

        Raises:
            EmbeddingsError: the shapes do not match each other or the previous batches.
        """
        x, y = _array(features, np.float64), _array(labels, np.int64)
        if x.ndim != 2 or y.shape != x.shape[:1] or self._sums.shape[1] not in (0, x.shape[1]):
            raise EmbeddingsError(
                f"features {x.shape} and labels {y.shape}: give N×D and N, with the same D in every batch"
            )
        identities, inverse = np.unique(y, return_inverse=True)
        self._grow([int(identity) for identity in identities], x.shape[1])
        rows = np.array([self._row[int(identity)] for identity in identities], dtype=np.int64)[inverse]
        np.add.at(self._counts, rows, 1)
        np.add.at(self._sums, rows, x)
        np.add.at(self._unit_sums, rows, _unit(x))

    def score(self) -> float:
        """The score of all features added; inf if all identities have the same direction.

        Raises:
            EmbeddingsError: fewer than two identities.
        """
        if len(self._row) < 2:
            raise EmbeddingsError(
                f"the angular Fisher score needs at least two identities, got {len(self._row)};"
                " give features of more people"
            )
        means = _unit(self._sums)
        overall = _unit(self._sums.sum(0, keepdims=True))
        within = float(self._counts.sum() - (self._unit_sums * means).sum())
        between = float(self._counts @ (1 - (means @ overall.T)[:, 0]))
        return within / between if between > 0 else float("inf")

    def _grow(self, identities: list[int], dim: int) -> None:
        before = len(self._row)
        for identity in identities:
            self._row.setdefault(identity, len(self._row))
        added = len(self._row) - before
        self._counts = np.concatenate([self._counts, np.zeros(added)])
        for name in ("_sums", "_unit_sums"):
            old = getattr(self, name).reshape(before, dim)
            setattr(self, name, np.concatenate([old, np.zeros((added, dim))]))


def angular_fisher_score(features: ArrayLike | Tensor, labels: ArrayLike | Tensor) -> float:
    """Angular Fisher score of features N×D with integer labels N; see :class:`AngularFisher`.

    Raises:
        EmbeddingsError: the shapes do not match, or there are fewer than two identities.
    """
    fisher = AngularFisher()
    fisher.update(features, labels)
    return fisher.score()


def _array(values: ArrayLike | Tensor, dtype: type[np.generic]) -> NDArray[Any]:
    if isinstance(values, Tensor):
        values = values.detach().cpu()
        values = (values.to(torch.float64) if values.is_floating_point() else values).numpy()
    return np.asarray(values, dtype=dtype)


def _unit(rows: NDArray[Any]) -> NDArray[Any]:
    norm = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(norm > 0, norm, 1.0)
