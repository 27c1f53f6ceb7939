"""Search candidates by PyTorch, in the fastest dtype of the device; see `facepipe.score.search`."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from facepipe.devices import choose_device, has_native_bfloat16
from facepipe.errors import EmbeddingsError
from facepipe.score.candidates_numpy import NOT_FINITE
from facepipe.score.cosine import unit

_GROUP = 16
# On a CPU, rows converted at once and scores scanned at once should fit in the cache; a GPU needs large blocks.
_ROWS, _GPU_ROWS = 2048, 65_536
_SCORES, _GPU_SCORES = 1 << 21, 1 << 26
_HALF_ROWS = 65_536


class TorchCandidates:
    """Rough scores on a device.

    Args:
        device: ``auto``, ``cpu``, ``cuda`` ...
        queries: number of queries.
        half: whether the store is a float16 array of unit rows.
        unit_rows: whether the rows have unit length.
        coarse: dtype of the product; None is the fastest.

    Attributes:
        precision: name of that dtype.
    """

    def __init__(
        self, device: str, queries: int, half: bool, unit_rows: bool, coarse: torch.dtype | None = None
    ) -> None:
        self._device, self._unit_rows = choose_device(device), unit_rows
        self._dtype = coarse or _fastest(self._device, queries, half)
        self.precision = str(self._dtype).removeprefix("torch.")

    def __call__(self, queries: np.ndarray, store: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """The ``count`` highest rough scores float32 Q×count and their rows, unordered; ``count`` is less than N."""
        return _candidates(queries, store, count, self._device, self._unit_rows, self._dtype)


def _fastest(device: torch.device, queries: int, half: bool) -> torch.dtype:
    if queries == 1 and half and device.type == "cpu":
        return torch.float16
    return torch.bfloat16 if has_native_bfloat16(device) else torch.float32


def _candidates(
    queries: np.ndarray, store: np.ndarray, count: int, device: torch.device, unit_rows: bool, dtype: torch.dtype
) -> tuple[np.ndarray, np.ndarray]:
    columns = torch.from_numpy(unit(queries)).to(device, torch.float32).to(dtype).T.contiguous()
    best = _Best(len(queries), count, columns)
    with torch.inference_mode():
        tables = _halves(columns, store) if dtype == torch.float16 else _tables(columns, store, unit_rows, dtype)
        for first, scores in tables:
            best.add(scores, first)
        best.merge()
    return best.scores.float().cpu().numpy(), best.rows.cpu().numpy()


def _tables(columns: Tensor, store: np.ndarray, unit_rows: bool, dtype: torch.dtype) -> Iterator[tuple[int, Tensor]]:
    """First row and rough scores n×Q of n rows of the store at a time; each table overwrites the previous one."""
    device, queries = columns.device, columns.shape[1]
    rows, most = (_ROWS, _SCORES) if device.type == "cpu" else (_GPU_ROWS, _GPU_SCORES)
    step = min(rows, len(store))
    # A buffer reused by every block: allocating memory costs more time than writing to it.
    buffer = torch.empty((step, store.shape[1]), dtype=dtype if unit_rows else torch.float32, device=device)
    table = columns.new_empty((max(1, most // (step * queries)) * step, queries))
    for first in range(0, len(store), len(table)):
        part = store[first : first + len(table)]
        for start in range(0, len(part), step):
            block = _block(part[start : start + step], buffer, unit_rows, dtype)
            torch.mm(block, columns, out=table[start : start + len(block)])
        yield first, table[: len(part)]


def _halves(columns: Tensor, store: np.ndarray) -> Iterator[tuple[int, Tensor]]:
    """As `_tables` for one query and float16 unit rows on the CPU, which PyTorch accumulates in float32."""
    for first in range(0, len(store), _HALF_ROWS):
        yield first, torch.mv(_tensor(store[first : first + _HALF_ROWS]), columns[:, 0])[:, None]


def _tensor(rows: np.ndarray) -> Tensor:
    # PyTorch warns about read-only memory.
    return torch.from_numpy(np.require(rows, requirements=["C", "W"]))


def _block(rows: np.ndarray, buffer: Tensor, unit_rows: bool, dtype: torch.dtype) -> Tensor:
    """Unit rows, in ``buffer``."""
    block = buffer[: len(rows)].copy_(_tensor(rows).to(buffer.device))
    if unit_rows:
        return block
    # By the largest value first, since squares overflow and underflow sooner than the values.
    for power in (torch.inf, 2):
        length = torch.linalg.vector_norm(block, power, dim=1, keepdim=True)
        block /= torch.where(length == 0, 1, length)
    return block.to(dtype)


class _Best:
    """The highest scores of each of Q queries so far, and their rows.

    Args:
        queries: Q.
        count: how many to keep for each.
        like: a tensor with the dtype and device of the scores.

    Attributes:
        scores, rows: Q×c, unordered; c is ``count`` once there are enough.
    """

    def __init__(self, queries: int, count: int, like: Tensor) -> None:
        self.scores = like.new_empty((queries, 0))
        self.rows = torch.empty((queries, 0), dtype=torch.int64, device=like.device)
        self._count, self._least = count, like.new_empty(queries)
        self._pending: list[tuple[Tensor, Tensor, Tensor]] = []
        self._capacity = 0

    def add(self, scores: Tensor, first: int) -> None:
        """Add the scores n×Q of n rows from ``first`` on.

        Once there are enough, only scores above the least of the best matter, which become rarer with each table. The
        maxima of groups of rows locate them. They are collected until they are half as many as the best.
        """
        if self.scores.shape[1] < self._count:
            rows = torch.arange(first, first + len(scores), device=scores.device).expand(scores.shape[1], -1)
            self._keep(scores.T, rows)
            return
        size = _GROUP if len(scores) % _GROUP == 0 else 1
        grouped = scores.view(-1, size, scores.shape[1])
        # Written so that NaN counts as above, and is reported.
        group, query = (~(grouped.amax(1) <= self._least)).nonzero(as_tuple=True)
        new = grouped[group, :, query]
        hit, place = (~(new <= self._least[query, None])).nonzero(as_tuple=True)
        self._pending.append((new[hit, place], query[hit], group[hit] * size + place + first))
        self._capacity -= len(hit)
        if self._capacity < 0:
            self.merge()

    def merge(self) -> None:
        """Merge the collected scores into the best.

        Raises:
            EmbeddingsError: one of them is not finite.
        """
        if not self._pending:
            return
        scores, query, row = (torch.cat(each) for each in zip(*self._pending, strict=True))
        self._pending = []
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
        self._capacity = self.scores.numel() // 2
        if not bool(self.scores.isfinite().all()):
            raise EmbeddingsError(NOT_FINITE)
