"""Exact search: the k rows of a store that are nearest to each query, in blocks of bounded memory, on any device.

A matrix product in the fastest number format of the device picks candidates with a margin that its rounding cannot
cross; the candidates alone are then scored in float64 by `facepipe.score.cosine`. So the answer is that of scoring
every pair in float64, to the digit, whatever the device, the number of threads and the size of the blocks.
"""

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from facepipe.errors import EmbeddingsError
from facepipe.installed import has_torch
from facepipe.score.candidates_numpy import NOT_FINITE, NumpyCandidates
from facepipe.score.cosine import cosine

if TYPE_CHECKING:
    import torch

_QUERIES = 1024
_PAIRS = 4096
_SPARE = {"float32": 16, "float16": 32, "bfloat16": 96}
_NUMPY = 20_000_000_000
"""Multiplications that NumPy does before PyTorch is loaded."""


class Candidates(Protocol):
    """Picks rows by rough scores.

    Attributes:
        precision: number format of the scores.
    """

    precision: str

    def __call__(self, queries: np.ndarray, store: np.ndarray, count: int, /) -> tuple[np.ndarray, np.ndarray]:
        """Rough scores float32 Q×count, and their rows: the highest ones, in no order; ``count`` is less than all."""


@dataclass(frozen=True)
class Hits:
    """The nearest rows of each of Q queries, best first; of equal scores the lower row comes first.

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
        queries: float Q×D, of any length.
        store: float16, float32 or float64 N×D; may be memory-mapped.
        k: how many; all N where there are fewer.
        device: ``auto``, ``cpu``, ``cuda`` ...; it changes the time, not the answer.
        unit_rows: the rows of ``store`` have length 1 up to the rounding of float16, which saves a pass over them.
        coarse: number format of the matrix product, float32 or bfloat16. None is the fastest: bfloat16 where it is
            native, else float32; and for one query the float16 of a memory-mapped store as it is, since the time
            goes into reading and converting it.

    Raises:
        EmbeddingsError: the dimensions differ, or a number is NaN or infinite.
    """
    if queries.ndim != 2 or store.ndim != 2 or queries.shape[1] != store.shape[1]:
        raise EmbeddingsError(f"queries {queries.shape} and store {store.shape} must be Q×D and N×D of one D")
    half = store.dtype == np.float16 and unit_rows
    pick = _candidates(str(device), queries, store, half, unit_rows, coarse)
    k = min(max(k, 0), len(store))
    scores, rows = np.empty((len(queries), k)), np.empty((len(queries), k), np.int64)
    for first in range(0, len(queries) if k else 0, _QUERIES):
        part = slice(first, first + _QUERIES)
        scores[part], rows[part] = _search(queries[part], store, k, pick, unit_rows)
    return Hits(scores, rows)


def _candidates(
    device: str, queries: np.ndarray, store: np.ndarray, half: bool, unit_rows: bool, coarse: "torch.dtype | None"
) -> Candidates:
    """By PyTorch where it is loaded, or is worth loading; by NumPy else."""
    small = len(queries) * store.size <= _NUMPY and "torch" not in sys.modules
    if device in ("auto", "cpu") and coarse is None and (small or not has_torch()):
        return NumpyCandidates(unit_rows)
    from facepipe.score.candidates_torch import TorchCandidates

    return TorchCandidates(device, len(queries), half, unit_rows, coarse)


def _search(
    queries: np.ndarray, store: np.ndarray, k: int, pick: Candidates, unit_rows: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Widen the candidates of those queries for which too many rows lie within the margin, until none is in doubt."""
    margin = _margin(store.shape[1], unit_rows, pick.precision)
    scores, rows = np.empty((len(queries), k)), np.empty((len(queries), k), np.int64)
    open_, wanted = np.arange(len(queries)), k + _SPARE[pick.precision] + (3 * k if pick.precision == "bfloat16" else 0)
    while len(open_):
        wanted = min(wanted, len(store))
        asked = queries[open_]
        rough, found = _all(asked, wanted) if wanted == len(store) else pick(asked, store, wanted)
        scores[open_], rows[open_] = _settle(asked, store, rough, found, k, margin)
        # A row that is no candidate scores no more than the least candidate's rough score and the margin.
        sure = (scores[open_, k - 1] > rough.min(1) + margin) | (wanted == len(store))
        open_, wanted = open_[~sure], wanted * 4
    return scores, rows


def _all(queries: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Every row is a candidate: nothing to choose."""
    return np.zeros((len(queries), count), np.float32), np.tile(np.arange(count), (len(queries), 1))


def _margin(dim: int, unit_rows: bool, precision: str) -> float:
    """How far a rough score may lie from the cosine: rounded factors (Cauchy-Schwarz), sums and lengths."""
    rounding = {"float32": 0.0, "float16": 3 * 2.0**-11, "bfloat16": 2.0**-6}[precision]
    return rounding + (dim + 8) * 2.0**-23 + (2.0**-10 if unit_rows else 0.0)


def _settle(
    queries: np.ndarray, store: np.ndarray, rough: np.ndarray, found: np.ndarray, k: int, margin: float
) -> tuple[np.ndarray, np.ndarray]:
    """The k best of the candidates by their float64 cosines; of equal ones the lower row first."""
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
