"""From aligned crops to embeddings: the only place that knows a network's channel order and scaling."""

import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from facepipe.alignment import fit, template
from facepipe.devices import choose_precision, keep_freed_memory, whole_float32
from facepipe.embedding.embeddings import Embeddings
from facepipe.embedding.fold import fold_batch_norm
from facepipe.errors import EmbeddingsError
from facepipe.flips import FLIPS
from facepipe.zoo import Model

_SMALL_BATCH = 4
_CPU_BATCH, _GPU_BATCH = 16, 128


class Embedder:
    """Runs a model over crops in batches of two fixed sizes, so that no new shape is ever compiled.

    Args:
        model: from `facepipe.zoo.load`.
        flip: ``none``; ``sum`` adds the embedding of the mirror image (insightface); ``concat`` appends it
            (SphereFace); None takes the card's rule.
        precision: ``auto``, ``float32`` or ``bfloat16``; ``auto`` follows the hardware, and figures with it.
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
        self._rule = FLIPS[self.flip]
        self.device: torch.device = model.device
        if self.device.type == "cpu":
            keep_freed_memory()
        usual = _CPU_BATCH if self.device.type == "cpu" else _GPU_BATCH
        self.batch_size = max(batch_size or usual, _SMALL_BATCH)
        native = isinstance(model.network, nn.Module)
        self.dtype = choose_precision(precision, self.device) if native else torch.float32
        self._network: Any = _prepared(model.network, self.dtype) if native else model.network
        # In float32 whatever the backbone runs in: it is small, and its output is a logarithm.
        self._head = None if model.head is None else copy.deepcopy(model.head).eval().requires_grad_(False)
        card = model.card.input
        self._bgr = card.channels == "bgr"
        self._mean, self._scale = float(card.mean), float(card.scale)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the crops."""
        height, width = self.model.card.input.size
        return height, width

    @property
    def precision(self) -> str:
        """``float32`` or ``bfloat16``, as embeddings record it."""
        return str(self.dtype).removeprefix("torch.")

    @property
    def dim(self) -> int:
        """Length of an embedding after flip fusion."""
        return int(self.model.card.embedding.dim) * (2 if self._rule.halves else 1)

    def __call__(self, crops: np.ndarray) -> Embeddings:
        """Embed aligned crops.

        Args:
            crops: uint8 N×h×w×3 RGB, of the model's size or of its alignment template's, which is made to fit as
                the card says; N may be 0.

        Returns:
            `Embeddings` of N rows without paths, with kappa or sigma2 where the model has a head, from the same pass.

        Raises:
            EmbeddingsError: wrong dtype or size.
        """
        crops = self._fitted(crops)
        if crops.dtype != np.uint8 or crops.ndim != 4 or crops.shape[1:] != (*self.size, 3):
            wanted = "×".join(map(str, self.size))
            raise EmbeddingsError(f"crops must be uint8 N×{wanted}×3, not {crops.dtype} {crops.shape}")
        views = [crops, crops[:, :, ::-1]][: self._rule.views]
        mu, sureness = self._run(np.concatenate(views))
        fields = self._fields(sureness) | {"precision": self.precision}
        return Embeddings(self._fused(mu), self.model.identity, self.flip, **fields)

    def _fitted(self, crops: np.ndarray) -> np.ndarray:
        cut = template(self.model.card.input.template)
        if crops.shape[1:3] == self.size or crops.shape[1:] != (cut.height, cut.width, 3) or not len(crops):
            return crops
        return np.stack([fit(crop, self.size, self.model.card.input.fit) for crop in crops])

    def _fused(self, mu: np.ndarray) -> np.ndarray:
        return mu if self._rule.fuse is None else self._rule.fuse(*np.split(mu, 2))

    def _fields(self, sureness: np.ndarray) -> dict[str, Any]:
        """kappa or sigma2 of each crop: the mean of its views, which are two looks at one face."""
        if self._head is None:
            return {}
        mean = sureness.reshape(self._rule.views, -1, sureness.shape[1]).mean(0)
        value = mean[:, 0] if self._head.kind == "kappa" else mean
        return {self._head.kind: value, "trained_dim": int(self.model.card.embedding.dim)}

    @torch.inference_mode()
    def _run(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """mu N×dim and, where there is a head, κ or σ² N×K of single views."""
        mu = np.empty((len(crops), self.model.card.embedding.dim), np.float32)
        sureness = np.empty((len(crops), 0 if self._head is None else self._head.outputs), np.float32)
        for first in range(0, len(crops), self.batch_size):
            part = crops[first : first + self.batch_size]
            size = self.batch_size if len(part) > _SMALL_BATCH else _SMALL_BATCH
            filled = np.zeros((size, *crops.shape[1:]), np.uint8)
            filled[: len(part)] = part[..., ::-1] if self._bgr else part
            rows = slice(first, first + len(part))
            with whole_float32(self.device):
                mu[rows], sureness[rows] = self._pass(self._normalised(filled), len(part))
        return mu, sureness

    def _pass(self, x: Tensor, count: int) -> tuple[np.ndarray, np.ndarray]:
        """The first ``count`` rows of one batch."""
        if self._head is None:
            return _array(self._network(x)[:count]), np.empty((count, 0), np.float32)
        maps = self._network.maps(x)
        return _array(self._network.head(maps[-1])[:count]), _array(self._head(maps)[:count].exp())

    def _normalised(self, crops: np.ndarray) -> Tensor:
        # N×h×w×3 seen as N×3×h×w is channels_last already.
        x = torch.from_numpy(crops).to(self.device).permute(0, 3, 1, 2)
        return x.to(torch.float32).sub_(self._mean).div_(self._scale).to(self.dtype)


def _prepared(network: Any, dtype: torch.dtype) -> Any:
    own = fold_batch_norm(copy.deepcopy(network).eval().requires_grad_(False))
    return own.to(dtype=dtype, memory_format=torch.channels_last)


def _array(x: Tensor) -> np.ndarray:
    return np.asarray(x.float().cpu().numpy())
