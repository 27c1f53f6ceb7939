"""Exact search: the k rows of a store that are nearest to each query, in blocks of bounded memory, on any device.

A matrix product in the fastest number format of the device picks candidates with a margin that its rounding cannot
cross; the candidates alone are then scored in float64 by `facepipe.score.cosine`. So the answer is that of scoring
every pair in float64, to the digit, whatever the device, the number of threads and the size of the blocks.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from facepipe.devices import choose_device, has_native_bfloat16
from facepipe.errors import EmbeddingsError
from facepipe.score.cosine import cosine, unit

_QUERIES, _GROUP = 512, 16
# Scores of a block stay in the cache of a processor; a GPU wants large ones.
_ROWS, _GPU_ROWS = 2048, 65_536
_PAIRS = 4096
_SPARE = {torch.float32: 16, torch.bfloat16: 96}


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
    device: str | torch.device = "cpu",
    unit_rows: bool = False,
    coarse: torch.dtype | None = None,
) -> Hits:
    """The k rows of ``store`` with the highest cosine to each query.

    Args:
        queries: float Q×D, of any length.
        store: float16, float32 or float64 N×D; may be memory-mapped.
        k: how many; all N where there are fewer.
        device: ``auto``, ``cpu``, ``cuda`` ...; it changes the time, not the answer.
        unit_rows: the rows of ``store`` have length 1 up to the rounding of float16, which saves a pass over them.
        coarse: number format of the matrix product, float32 or bfloat16; None is bfloat16 where it is native.

    Raises:
        EmbeddingsError: the dimensions differ, or a number is NaN or infinite.
    """
    if queries.ndim != 2 or store.ndim != 2 or queries.shape[1] != store.shape[1]:
        raise EmbeddingsError(f"queries {queries.shape} and store {store.shape} must be Q×D and N×D of one D")
    where = choose_device(str(device))
    dtype = coarse or (torch.bfloat16 if has_native_bfloat16(where) else torch.float32)
    k = min(max(k, 0), len(store))
    scores, rows = np.empty((len(queries), k)), np.empty((len(queries), k), np.int64)
    for first in range(0, len(queries) if k else 0, _QUERIES):
        part = slice(first, first + _QUERIES)
        scores[part], rows[part] = _search(queries[part], store, k, where, unit_rows, dtype)
    return Hits(scores, rows)


def _search(
    queries: np.ndarray, store: np.ndarray, k: int, device: torch.device, unit_rows: bool, dtype: torch.dtype
) -> tuple[np.ndarray, np.ndarray]:
    """Widen the candidates of those queries for which too many rows lie within the margin, until none is in doubt."""
    margin = _margin(store.shape[1], unit_rows, dtype)
    scores, rows = np.empty((len(queries), k)), np.empty((len(queries), k), np.int64)
    open_, wanted = np.arange(len(queries)), k + _SPARE[dtype] + (3 * k if dtype == torch.bfloat16 else 0)
    while len(open_):
        wanted = min(wanted, len(store))
        asked = queries[open_]
        rough, found = _candidates(asked, store, wanted, device, unit_rows, dtype)
        scores[open_], rows[open_] = _settle(asked, store, rough, found, k, margin)
        # A row that is no candidate scores no more than the least candidate's rough score and the margin.
        sure = (scores[open_, k - 1] > rough.min(1) + margin) | (wanted == len(store))
        open_, wanted = open_[~sure], wanted * 4
    return scores, rows


def _margin(dim: int, unit_rows: bool, dtype: torch.dtype) -> float:
    """How far a rough score may lie from the cosine: rounded factors (Cauchy-Schwarz), sums and lengths."""
    rounding = 2.0**-6 if dtype == torch.bfloat16 else 0.0
    return rounding + (dim + 8) * 2.0**-23 + (2.0**-10 if unit_rows else 0.0)


def _candidates(
    queries: np.ndarray, store: np.ndarray, count: int, device: torch.device, unit_rows: bool, dtype: torch.dtype
) -> tuple[np.ndarray, np.ndarray]:
    """Rough scores float32 Q×count, and their rows: the highest ones, in no order."""
    if count == len(store):  # every row is one: nothing to choose
        return np.zeros((len(queries), count), np.float32), np.tile(np.arange(count), (len(queries), 1))
    asked = torch.from_numpy(unit(queries)).to(device, torch.float32).to(dtype)
    across = asked.T.contiguous()
    best = asked.new_empty((len(asked), 0))
    rows = torch.empty((len(asked), 0), dtype=torch.int64, device=device)
    # Room that every block takes anew: fresh memory costs more time than what is written there.
    step = min(_ROWS if device.type == "cpu" else _GPU_ROWS, len(store))
    room = torch.empty((step, store.shape[1]), dtype=dtype if unit_rows else torch.float32, device=device)
    table = asked.new_empty(step * len(asked))
    with torch.inference_mode():
        for first in range(0, len(store), step):
            block = _block(store[first : first + step], room, unit_rows, dtype)
            scores = torch.mm(block, across, out=table[: len(block) * len(asked)].view(len(block), -1))
            best, rows = _merged(best, rows, scores, first, count)
    rough = best.float().cpu().numpy()
    if not np.isfinite(rough).all():
        raise EmbeddingsError("embeddings must be finite numbers, but some are not: they are damaged; embed again")
    return rough, rows.cpu().numpy()


def _block(rows: np.ndarray, room: Tensor, unit_rows: bool, dtype: torch.dtype) -> Tensor:
    """Rows in ``room``, of length 1."""
    # PyTorch takes no read-only memory without a warning.
    block = room[: len(rows)].copy_(torch.from_numpy(np.require(rows, requirements=["C", "W"])).to(room.device))
    if unit_rows:
        return block
    # By the largest number first, since squares overflow and vanish sooner than the numbers themselves.
    for power in (torch.inf, 2):
        length = torch.linalg.vector_norm(block, power, dim=1, keepdim=True)
        block /= torch.where(length == 0, 1, length)
    return block.to(dtype)


def _merged(best: Tensor, rows: Tensor, scores: Tensor, first: int, count: int) -> tuple[Tensor, Tensor]:
    """The ``count`` highest of the best so far, Q×c with their rows, and of the scores n×Q of n rows from ``first`` on.

    The new rows are dealt into groups. The groups with the highest maxima hold the highest scores, and only groups
    with a maximum above the least of the best can add to them: block by block fewer queries have any.
    """
    groups, queries = len(scores) // _GROUP, scores.shape[1]
    if best.shape[1] < count or groups * _GROUP < len(scores):
        here = torch.arange(first, first + len(scores), device=scores.device).expand(queries, -1)
        return _highest(torch.cat([best, scores.T], 1), torch.cat([rows, here], 1), count)
    dealt = scores.view(_GROUP, groups, queries)
    tops = dealt.amax(0)
    # Put so that NaN counts as above: it is damage, to be told of.
    many = (~(tops <= best.amin(1))).sum(0)
    hit = many.nonzero()[:, 0]
    if len(hit):
        chosen = tops[:, hit].topk(min(count, int(many.amax())), 0, sorted=False).indices
        places = torch.arange(_GROUP, device=scores.device)[:, None, None] * groups + first
        new, at = dealt[:, chosen, hit].flatten(0, 1), (places + chosen).flatten(0, 1)
        best[hit], rows[hit] = _highest(torch.cat([best[hit], new.T], 1), torch.cat([rows[hit], at.T], 1), count)
    return best, rows


def _highest(scores: Tensor, rows: Tensor, count: int) -> tuple[Tensor, Tensor]:
    best, kept = scores.topk(min(count, scores.shape[1]), sorted=False)
    return best, rows.gather(1, kept)


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
        raise EmbeddingsError("embeddings must be finite numbers, but some are not: they are damaged; embed again")
    order = np.lexsort((row, -scores, query))
    begin = np.searchsorted(query, np.arange(len(queries)))
    best = order[begin[:, None] + np.arange(k)]
    return scores[best], row[best]
