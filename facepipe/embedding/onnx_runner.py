"""Embedding with the ONNX engine."""

import numpy as np

from facepipe.engines.cores import map_on_threads
from facepipe.errors import DeviceError
from facepipe.parameters import parameter
from facepipe.zoo import Model

_BATCH = 1
"""Crops per pass: more are not faster, and take memory for feature maps. Passes run in parallel."""


class OnnxRunner:
    """See `facepipe.embedding.runner.Runner`; passes are not padded."""

    precision = "float32"

    def __init__(self, model: Model, precision: str, batch_size: int | None) -> None:
        if precision not in ("auto", "float32"):
            raise DeviceError(
                f"{parameter('precision', precision)}: the ONNX engine runs in float32; "
                f"use {parameter('engine', 'torch')}"
            )
        self._network, self._head, self._card = model.network, model.head, model.card
        self.batch_size = batch_size or _BATCH

    def __call__(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `Runner`."""
        mu = np.empty((len(crops), self._card.embedding.dim), np.float32)
        uncertainty = np.empty((len(crops), 0 if self._head is None else self._head.outputs), np.float32)

        def run(rows: slice) -> None:
            found = self._network(self._normalised(crops[rows]))
            mu[rows] = found[0]
            if self._head is not None:
                uncertainty[rows] = np.exp(found[1])

        map_on_threads(run, (slice(first, first + self.batch_size) for first in range(0, len(crops), self.batch_size)))
        return mu, uncertainty

    def _normalised(self, crops: np.ndarray) -> np.ndarray:
        x = crops.transpose(0, 3, 1, 2).astype(np.float32, order="C")
        x -= np.float32(self._card.input.mean)
        x /= np.float32(self._card.input.scale)
        return x
