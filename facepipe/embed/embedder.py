"""From aligned crops to embeddings: the only place that knows a network's channel order and scaling."""

import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from facepipe.devices import choose_precision
from facepipe.embed.embeddings import Embeddings
from facepipe.errors import EmbeddingsError
from facepipe.zoo import Model

FLIPS = ("none", "sum", "concat")
_SMALL_BATCH = 4
_CPU_BATCH, _GPU_BATCH = 16, 128


class Embedder:
    """Runs a model over crops in batches of two fixed sizes, so that no new shape is ever compiled.

    Args:
        model: from `facepipe.zoo.load`.
        flip: ``none``; ``sum`` adds the embedding of the mirror image (insightface); ``concat`` appends it
            (SphereFace); None takes the card's rule.
        precision: ``auto``, ``float32`` or ``bfloat16``.
        batch_size: crops per pass; the last pass is filled up to this size, or to 4. None takes 16 on a CPU,
            whose cache then holds the activations, and 128 elsewhere.

    Raises:
        EmbeddingsError: unknown flip rule.
        DeviceError: unknown precision.
    """

    def __init__(
        self, model: Model, flip: str | None = None, precision: str = "auto", batch_size: int | None = None
    ) -> None:
        self.model = model
        self.flip = flip or model.card.embedding.flip
        if self.flip not in FLIPS:
            raise EmbeddingsError(f"flip rule {self.flip!r} is unknown; choose one of {', '.join(FLIPS)}")
        self.device: torch.device = model.device
        usual = _CPU_BATCH if self.device.type == "cpu" else _GPU_BATCH
        self.batch_size = max(batch_size or usual, _SMALL_BATCH)
        native = isinstance(model.network, nn.Module)
        self.dtype = choose_precision(precision, self.device) if native else torch.float32
        self._network = _prepared(model.network, self.dtype) if native else model.network
        card = model.card.input
        self._bgr = card.channels == "bgr"
        self._mean, self._scale = float(card.mean), float(card.scale)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the crops."""
        height, width = self.model.card.input.size
        return height, width

    @property
    def dim(self) -> int:
        """Length of an embedding after flip fusion."""
        return int(self.model.card.embedding.dim) * (2 if self.flip == "concat" else 1)

    def __call__(self, crops: np.ndarray) -> Embeddings:
        """Embed aligned crops.

        Args:
            crops: uint8 N×h×w×3 RGB, of the model's size; N may be 0.

        Returns:
            `Embeddings` of N rows without paths.

        Raises:
            EmbeddingsError: wrong dtype or size.
        """
        if crops.dtype != np.uint8 or crops.ndim != 4 or crops.shape[1:] != (*self.size, 3):
            wanted = "×".join(map(str, self.size))
            raise EmbeddingsError(f"crops must be uint8 N×{wanted}×3, not {crops.dtype} {crops.shape}")
        return Embeddings(self._fused(crops), self.model.identity, self.flip)

    def _fused(self, crops: np.ndarray) -> np.ndarray:
        if len(crops) == 0:
            return np.zeros((0, self.dim), np.float32)
        if self.flip == "none":
            return self._run(crops)
        both = self._run(np.concatenate([crops, crops[:, :, ::-1]]))
        straight, mirrored = both[: len(crops)], both[len(crops) :]
        if self.flip == "sum":
            return straight + mirrored
        return np.concatenate([straight, mirrored], axis=1)

    @torch.inference_mode()
    def _run(self, crops: np.ndarray) -> np.ndarray:
        out = []
        for first in range(0, len(crops), self.batch_size):
            part = crops[first : first + self.batch_size]
            size = self.batch_size if len(part) > _SMALL_BATCH else _SMALL_BATCH
            filled = np.zeros((size, *crops.shape[1:]), np.uint8)
            filled[: len(part)] = part[..., ::-1] if self._bgr else part
            out.append(self._network(self._normalised(filled))[: len(part)].float().cpu())
        return torch.cat(out).numpy()

    def _normalised(self, crops: np.ndarray) -> Tensor:
        # N×h×w×3 seen as N×3×h×w is channels_last already.
        x = torch.from_numpy(crops).to(self.device).permute(0, 3, 1, 2)
        return x.to(torch.float32).sub_(self._mean).div_(self._scale).to(self.dtype)


def _prepared(network: Any, dtype: torch.dtype) -> Any:
    own = copy.deepcopy(network).eval().requires_grad_(False)
    return own.to(dtype=dtype, memory_format=torch.channels_last)
