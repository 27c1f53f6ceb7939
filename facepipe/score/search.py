"""Exact search: the k nearest rows of a store to each query, in bounded memory, on any device.

A matrix product in the fastest dtype of the device selects candidates with a margin larger than its rounding error;
only the candidates are then scored in float64 by `facepipe.score.cosine`. So the result equals that of scoring every
pair in float64, bit for bit, for any device, number of threads and block size.
"""

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from facepipe.errors import EmbeddingsError
from facepipe.imports import has_torch
from facepipe.score.candidates_numpy import NOT_FINITE, NumpyCandidates
from facepipe.score.cosine import cosine

if TYPE_CHECKING:
    import torch

_QUERIES = 1024
_PAIRS = 4096
_SPARE = {"float32": 16, "float16": 32, "bfloat16": 96}
_NUMPY = 20_000_000_000
"""Multiplications up to which NumPy is faster than importing PyTorch."""


class CandidateSearch(Protocol):
    """Selects rows by rough scores.

    Attributes:
        precision: dtype of the scores.
    """

    precision: str

    def __call__(self, queries: np.ndarray, store: np.ndarray, count: int, /) -> tuple[np.ndarray, np.ndarray]:
        """The ``count`` highest rough scores float32 Q×count and their rows, unordered; ``count`` is less than N."""


@dataclass(frozen=True)
class Hits:
    """The nearest rows of each of Q queries, best first; ties by row.

    Attributes:
        scores: float64 Q×k, cosines.
        rows: int64 Q×k, rows of the store.
    """

    scores: np.ndarray
    rows: np.ndarray


def top_k(
    queries: np.ndarray,
    store: np.ndarray,
    k: int,
    device: "str | torch.device" = "cpu",
    unit_rows: bool = False,
    coarse: "torch.dtype | None" = None,
) -> Hits:
    """The k rows of ``store`` with the highest cosine to each query.

    Args:
        queries: float Q×D, rows of any length.
        store: float16, float32 or float64 N×D; may be memory-mapped.
        k: number of rows; at most N.
        device: ``auto``, ``cpu``, ``cuda`` ...; affects only the speed.
        unit_rows: the rows of ``store`` have unit length up to float16 rounding, which saves a pass over them.
        coarse: dtype of the matrix product, float32 or bfloat16. None is the fastest: bfloat16 if it is native, else
            float32; for a single query, the float16 of a memory-mapped store, since reading and converting it would
            dominate.

    Raises:
        EmbeddingsError: the dimensions differ, or a value is NaN or infinite.
    """
    if queries.ndim != 2 or store.ndim != 2 or queries.shape[1] != store.shape[1]:
        raise EmbeddingsError(f"queries {queries.shape} and store {store.shape} must be Q×D and N×D with the same D")
    half = store.dtype == np.float16 and unit_rows
    candidates = _candidates(str(device), queries, store, half, unit_rows, coarse)
    k = min(max(k, 0), len(store))
    scores, rows = np.empty((len(queries), k)), np.empty((len(queries), k), np.int64)
    for first in range(0, len(queries) if k else 0, _QUERIES):
        part = slice(first, first + _QUERIES)
        scores[part], rows[part] = _search(queries[part], store, k, candidates, unit_rows)
    return Hits(scores, rows)


def _candidates(
    device: str, queries: np.ndarray, store: np.ndarray, half: bool, unit_rows: bool, coarse: "torch.dtype | None"
) -> CandidateSearch:
    """By PyTorch if it is imported or worth importing, otherwise by NumPy."""
    small = len(queries) * store.size <= _NUMPY and "torch" not in sys.modules
    if device in ("auto", "cpu") and coarse is None and (small or not has_torch()):
        return NumpyCandidates(unit_rows)
    from facepipe.score.candidates_torch import TorchCandidates

    return TorchCandidates(device, len(queries), half, unit_rows, coarse)


def _search(
    queries: np.ndarray, store: np.ndarray, k: int, candidates: CandidateSearch, unit_rows: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Select more candidates for queries with too many rows within the margin, until every result is certain."""
    precision = candidates.precision
    margin = _margin(store.shape[1], unit_rows, precision)
    scores, rows = np.empty((len(queries), k)), np.empty((len(queries), k), np.int64)
    remaining, count = np.arange(len(queries)), k + _SPARE[precision] + (3 * k if precision == "bfloat16" else 0)
    while len(remaining):
        count = min(count, len(store))
        part = queries[remaining]
        rough, found = _all(part, count) if count == len(store) else candidates(part, store, count)
        scores[remaining], rows[remaining] = _rescore(part, store, rough, found, k, margin)
        # The score of any other row is at most the lowest rough score plus the margin.
        certain = (scores[remaining, k - 1] > rough.min(1) + margin) | (count == len(store))
        remaining, count = remaining[~certain], count * 4
    return scores, rows


def _all(queries: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Make every row a candidate."""
    return np.zeros((len(queries), count), np.float32), np.tile(np.arange(count), (len(queries), 1))


def _margin(dim: int, unit_rows: bool, precision: str) -> float:
    """Maximum error of a rough score: rounding of factors (Cauchy-Schwarz), of sums and of lengths."""
    rounding = {"float32": 0.0, "float16": 3 * 2.0**-11, "bfloat16": 2.0**-6}[precision]
    return rounding + (dim + 8) * 2.0**-23 + (2.0**-10 if unit_rows else 0.0)


def _rescore(
    queries: np.ndarray, store: np.ndarray, rough: np.ndarray, found: np.ndarray, k: int, margin: float
) -> tuple[np.ndarray, np.ndarray]:
    """The k best candidates by their float64 cosines; ties by row."""
    least = np.partition(rough, -k, axis=1)[:, -k]
    query, column = np.nonzero(rough >= least[:, None] - 2 * margin)
    row = found[query, column]
    scores = np.empty(len(row))
    for first in range(0, len(row), _PAIRS):
        part = slice(first, first + _PAIRS)
        scores[part] = cosine(queries[query[part]], store[row[part]])
    if np.isnan(scores).any():
        raise EmbeddingsError(NOT_FINITE)
    order = np.lexsort((row, -scores, query))
    begin = np.searchsorted(query, np.arange(len(queries)))
    best = order[begin[:, None] + np.arange(k)]
    return scores[best], row[best]
