"""Exact search: the k rows of a store that are nearest to each query, in blocks of bounded memory, on any device.

A matrix product in the fastest number format of the device picks candidates with a margin that its rounding cannot
cross; the candidates alone are then scored in float64 by `facepipe.score.cosine`. So the answer is that of scoring
every pair in float64, to the digit, whatever the device, the number of threads and the size of the blocks.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from facepipe.devices import choose_device, has_native_bfloat16
from facepipe.errors import EmbeddingsError
from facepipe.score.cosine import cosine, unit

_QUERIES, _GROUP = 1024, 16
# Rows that are converted at once stay in the cache of a processor, and so do scores that are looked through at once;
# a GPU wants many.
_ROWS, _GPU_ROWS = 2048, 65_536
_SCORES, _GPU_SCORES = 1 << 21, 1 << 26
_HALF_ROWS = 65_536
_PAIRS = 4096
_SPARE = {torch.float32: 16, torch.float16: 32, torch.bfloat16: 96}


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
        coarse: number format of the matrix product, float32 or bfloat16. None is the fastest: bfloat16 where it is
            native, else float32; and for one query the float16 of a memory-mapped store as it is, since the time
            goes into reading and converting it.

    Raises:
        EmbeddingsError: the dimensions differ, or a number is NaN or infinite.
    """
    if queries.ndim != 2 or store.ndim != 2 or queries.shape[1] != store.shape[1]:
        raise EmbeddingsError(f"queries {queries.shape} and store {store.shape} must be Q×D and N×D of one D")
    where = choose_device(str(device))
    dtype = coarse or _fastest(where, len(queries), store.dtype == np.float16 and unit_rows)
    k = min(max(k, 0), len(store))
    scores, rows = np.empty((len(queries), k)), np.empty((len(queries), k), np.int64)
    for first in range(0, len(queries) if k else 0, _QUERIES):
        part = slice(first, first + _QUERIES)
        scores[part], rows[part] = _search(queries[part], store, k, where, unit_rows, dtype)
    return Hits(scores, rows)


def _fastest(device: torch.device, queries: int, half: bool) -> torch.dtype:
    if queries == 1 and half and device.type == "cpu":
        return torch.float16
    return torch.bfloat16 if has_native_bfloat16(device) else torch.float32


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
    rounding = {torch.float32: 0.0, torch.float16: 3 * 2.0**-11, torch.bfloat16: 2.0**-6}[dtype]
    return rounding + (dim + 8) * 2.0**-23 + (2.0**-10 if unit_rows else 0.0)


def _candidates(
    queries: np.ndarray, store: np.ndarray, count: int, device: torch.device, unit_rows: bool, dtype: torch.dtype
) -> tuple[np.ndarray, np.ndarray]:
    """Rough scores float32 Q×count, and their rows: the highest ones, in no order."""
    if count == len(store):  # every row is one: nothing to choose
        return np.zeros((len(queries), count), np.float32), np.tile(np.arange(count), (len(queries), 1))
    across = torch.from_numpy(unit(queries)).to(device, torch.float32).to(dtype).T.contiguous()
    best = _Best(len(queries), count, across)
    with torch.inference_mode():
        tables = _halves(across, store) if dtype == torch.float16 else _tables(across, store, unit_rows, dtype)
        for first, scores in tables:
            best.add(scores, first)
        best.merge()
    return best.scores.float().cpu().numpy(), best.rows.cpu().numpy()


def _tables(across: Tensor, store: np.ndarray, unit_rows: bool, dtype: torch.dtype) -> Iterator[tuple[int, Tensor]]:
    """Rough scores n×Q of n rows of the store, and the first of the rows; every table takes the place of the last."""
    device, queries = across.device, across.shape[1]
    rows, most = (_ROWS, _SCORES) if device.type == "cpu" else (_GPU_ROWS, _GPU_SCORES)
    step = min(rows, len(store))
    # Room that every block takes anew: fresh memory costs more time than what is written there.
    room = torch.empty((step, store.shape[1]), dtype=dtype if unit_rows else torch.float32, device=device)
    table = across.new_empty((max(1, most // (step * queries)) * step, queries))
    for first in range(0, len(store), len(table)):
        part = store[first : first + len(table)]
        for start in range(0, len(part), step):
            block = _block(part[start : start + step], room, unit_rows, dtype)
            torch.mm(block, across, out=table[start : start + len(block)])
        yield first, table[: len(part)]


def _halves(across: Tensor, store: np.ndarray) -> Iterator[tuple[int, Tensor]]:
    """The same for one query and float16 rows of length 1 on the CPU, which PyTorch sums in float32."""
    for first in range(0, len(store), _HALF_ROWS):
        yield first, torch.mv(_tensor(store[first : first + _HALF_ROWS]), across[:, 0])[:, None]


def _tensor(rows: np.ndarray) -> Tensor:
    # PyTorch takes no read-only memory without a warning.
    return torch.from_numpy(np.require(rows, requirements=["C", "W"]))


def _block(rows: np.ndarray, room: Tensor, unit_rows: bool, dtype: torch.dtype) -> Tensor:
    """Rows in ``room``, of length 1."""
    block = room[: len(rows)].copy_(_tensor(rows).to(room.device))
    if unit_rows:
        return block
    # By the largest number first, since squares overflow and vanish sooner than the numbers themselves.
    for power in (torch.inf, 2):
        length = torch.linalg.vector_norm(block, power, dim=1, keepdim=True)
        block /= torch.where(length == 0, 1, length)
    return block.to(dtype)


class _Best:
    """The highest scores of each of Q queries so far, and their rows.

    Args:
        queries: Q.
        count: how many to keep of each.
        like: has the number format and the device of the scores.

    Attributes:
        scores, rows: Q×c in no order; c is ``count`` as soon as there were so many.
    """

    def __init__(self, queries: int, count: int, like: Tensor) -> None:
        self.scores = like.new_empty((queries, 0))
        self.rows = torch.empty((queries, 0), dtype=torch.int64, device=like.device)
        self._count, self._least = count, like.new_empty(queries)
        self._waiting: list[tuple[Tensor, Tensor, Tensor]] = []
        self._room = 0

    def add(self, scores: Tensor, first: int) -> None:
        """Take in the scores n×Q of n rows from ``first`` on.

        Once there are enough, only scores above the least of the best can count, and table by table there are fewer.
        The maxima of groups of rows tell where they are. They wait until they are as many as half of the best.
        """
        if self.scores.shape[1] < self._count:
            rows = torch.arange(first, first + len(scores), device=scores.device).expand(scores.shape[1], -1)
            self._keep(scores.T, rows)
            return
        size = _GROUP if len(scores) % _GROUP == 0 else 1
        dealt = scores.view(-1, size, scores.shape[1])
        # Put so that NaN counts as above: it is damage, to be told of.
        group, query = (~(dealt.amax(1) <= self._least)).nonzero(as_tuple=True)
        new = dealt[group, :, query]
        hit, place = (~(new <= self._least[query, None])).nonzero(as_tuple=True)
        self._waiting.append((new[hit, place], query[hit], group[hit] * size + place + first))
        self._room -= len(hit)
        if self._room < 0:
            self.merge()

    def merge(self) -> None:
        """Take in the scores that wait.

        Raises:
            EmbeddingsError: one of them is no finite number.
        """
        if not self._waiting:
            return
        scores, query, row = (torch.cat(each) for each in zip(*self._waiting, strict=True))
        self._waiting = []
        query, order = query.sort()
        counts = query.bincount(minlength=len(self.scores))
        place = torch.arange(len(query), device=query.device) - (counts.cumsum(0) - counts)[query]
        new = scores.new_full((len(self.scores), int(counts.amax())), -torch.inf)
        rows = torch.zeros_like(new, dtype=torch.int64)
        new[query, place], rows[query, place] = scores[order], row[order]
        self._keep(new, rows)

    def _keep(self, scores: Tensor, rows: Tensor) -> None:
        both, places = torch.cat([self.scores, scores], 1), torch.cat([self.rows, rows], 1)
        self.scores, kept = both.topk(min(self._count, both.shape[1]), sorted=False)
        self.rows, self._least = places.gather(1, kept), self.scores.amin(1)
        self._room = self.scores.numel() // 2
        if not bool(self.scores.isfinite().all()):
            raise EmbeddingsError("embeddings must be finite numbers, but some are not: they are damaged; embed again")


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
