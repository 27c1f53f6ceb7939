"""Embedding with PyTorch."""

import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from facepipe.devices import choose_precision, keep_freed_memory, no_room, whole_float32
from facepipe.embedding.fold import fold_batch_norm
from facepipe.zoo import Model

_SMALL_BATCH = 4
_CPU_BATCH, _GPU_BATCH = 16, 128


class TorchRunner:
    """Runs a model on crops in batches of two fixed sizes, so that no new shapes are compiled.

    Args:
        model: this and the other arguments: see `facepipe.embedding.Embedder`.
    """

    def __init__(self, model: Model, precision: str, batch_size: int | None) -> None:
        self.model = model
        assert not isinstance(model.device, str)
        self.device = model.device
        if self.device.type == "cpu":
            keep_freed_memory()
        default = _CPU_BATCH if self.device.type == "cpu" else _GPU_BATCH
        self.batch_size = max(batch_size or default, _SMALL_BATCH)
        native = isinstance(model.network, nn.Module)
        self.dtype = choose_precision(precision, self.device) if native else torch.float32
        self.network: Any = _prepared(model.network, self.dtype) if native else model.network
        # Always in float32: it is small, and its output is a logarithm.
        self.head: Any = None
        if isinstance(model.head, nn.Module):
            self.head = copy.deepcopy(model.head).eval().requires_grad_(False)
        card = model.card.input
        self._mean, self._scale = float(card.mean), float(card.scale)

    @property
    def precision(self) -> str:
        """See `facepipe.embedding.runner.Runner`."""
        return str(self.dtype).removeprefix("torch.")

    @torch.inference_mode()
    def __call__(self, crops: np.ndarray | Tensor) -> tuple[np.ndarray, np.ndarray]:
        """See `facepipe.embedding.runner.Runner`; a tensor's results are copied from the device once."""
        dim = self.model.card.embedding.dim
        done = [torch.empty((0, dim + (0 if self.head is None else self.head.outputs)), device=self.device)]
        first = 0
        while first < len(crops):
            part = crops[first : first + self.batch_size]
            try:
                done.append(self._batch(part))
            except torch.OutOfMemoryError as error:
                if self.batch_size <= _SMALL_BATCH:
                    raise no_room() from error
                self.batch_size = max(self.batch_size // 2, _SMALL_BATCH)  # for all further batches
                continue
            first += len(part)
        found = np.asarray(torch.cat(done).cpu().numpy())
        return np.ascontiguousarray(found[:, :dim]), np.ascontiguousarray(found[:, dim:])

    def _batch(self, part: np.ndarray | Tensor) -> Tensor:
        size = self.batch_size if len(part) > _SMALL_BATCH else _SMALL_BATCH
        if isinstance(part, np.ndarray):
            padded = np.zeros((size, *part.shape[1:]), np.uint8)
            padded[: len(part)] = part
            x = torch.from_numpy(padded)
        else:
            x = part.new_zeros((size, *part.shape[1:]))
            x[: len(part)] = part
        with whole_float32(self.device):
            return self._pass(self._normalised(x), len(part))

    def _pass(self, x: Tensor, count: int) -> Tensor:
        """The first ``count`` rows of one batch: float32 embeddings, then κ or σ² if there is a head."""
        if self.head is None:
            return self.network(x)[:count].float()
        maps = self.network.maps(x)
        return torch.cat([self.network.head(maps[-1])[:count].float(), self.head(maps)[:count].exp().float()], 1)

    def _normalised(self, crops: Tensor) -> Tensor:
        # N×h×w×3 viewed as N×3×h×w is already channels_last.
        x = crops.to(self.device).permute(0, 3, 1, 2)
        return x.to(torch.float32).sub_(self._mean).div_(self._scale).to(self.dtype)


def _prepared(network: Any, dtype: torch.dtype) -> Any:
    folded = fold_batch_norm(copy.deepcopy(network).eval().requires_grad_(False))
    return folded.to(dtype=dtype, memory_format=torch.channels_last)
