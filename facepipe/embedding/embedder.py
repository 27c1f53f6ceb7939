"""From aligned crops to embeddings: the only place that applies a network's channel order and scaling."""

from typing import TYPE_CHECKING, Any

import numpy as np

from facepipe.alignment import fit_crop, template
from facepipe.embedding.embeddings import Embeddings
from facepipe.embedding.runner import create_runner
from facepipe.errors import EmbeddingsError
from facepipe.flips import FLIPS
from facepipe.parameters import parameter
from facepipe.zoo import Model

if TYPE_CHECKING:
    from torch import Tensor


class Embedder:
    """Runs a model on crops in batches, with the engine it was loaded with.

    Args:
        model: from `facepipe.zoo.load`.
        flip: ``none``; ``sum`` adds the embedding of the mirror image (insightface); ``concat`` appends it
            (SphereFace); None means the card's rule.
        precision: ``auto``, ``float32`` or ``bfloat16``; with ``auto``, figures depend on the hardware. The ONNX
            engine supports only float32.
        batch_size: crops per pass; with PyTorch the last pass is padded to this size or to 4. None means, with PyTorch,
            16 on a CPU, so that activations fit its cache, and 128 elsewhere; with ONNX 1.

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
        self._runner = create_runner(model, precision, batch_size)
        self._bgr = model.card.input.channels == "bgr"

    @property
    def engine(self) -> str:
        """What runs the network: ``torch`` or ``onnx``."""
        return self.model.engine

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the crops."""
        height, width = self.model.card.input.size
        return height, width

    @property
    def precision(self) -> str:
        """``float32`` or ``bfloat16``, as recorded in embeddings."""
        return self._runner.precision

    @property
    def batch_size(self) -> int:
        """Crops per pass."""
        return self._runner.batch_size

    @property
    def dim(self) -> int:
        """Length of an embedding after flip fusion."""
        return int(self.model.card.embedding.dim) * (2 if self._rule.halves else 1)

    def __call__(self, crops: "np.ndarray | Tensor") -> Embeddings:
        """Embed aligned crops.

        Args:
            crops: uint8 N×h×w×3 RGB, of the model's size or its alignment template's, which is resized as
                the card says; N may be 0. With PyTorch also a tensor on the model's device, which stays there: only
                the results are copied, once.

        Returns:
            `Embeddings` of N rows without paths, with kappa or sigma2 if the model has a head, from the same pass.

        Raises:
            EmbeddingsError: wrong dtype or size, or the model's output is not finite.
        """
        mu, uncertainty = self._runner(self._views(self._fitted(crops)))
        self._require_finite(mu, uncertainty)
        fields = self._fields(uncertainty) | {"precision": self.precision, "engine": self.engine}
        return Embeddings(self._fused(mu), self.model.identity, self.flip, **fields)

    def _views(self, crops: Any) -> Any:
        """The crops, and after them their mirror images if the flip rule wants them, in the network's channel order."""
        if str(crops.dtype) not in ("uint8", "torch.uint8") or tuple(crops.shape[1:]) != (*self.size, 3):
            wanted = "×".join(map(str, self.size))
            raise EmbeddingsError(f"crops must be uint8 N×{wanted}×3, not {crops.dtype} {tuple(crops.shape)}")
        if isinstance(crops, np.ndarray):
            arrays = np.concatenate([crops, crops[:, :, ::-1]][: self._rule.views])
            return arrays[..., ::-1] if self._bgr else arrays
        import torch

        views = torch.cat([crops, crops.flip(2)][: self._rule.views])
        return views.flip(3) if self._bgr else views

    def _require_finite(self, mu: np.ndarray, uncertainty: np.ndarray | None) -> None:
        """Raise an error for outputs that are not finite."""
        for values in (mu, uncertainty):
            if values is not None and not np.isfinite(values).all():
                wrong = int((~np.isfinite(values).reshape(len(values), -1).all(1)).sum())
                raise EmbeddingsError(
                    f"{self.model.identity}: {wrong} of {len(values)} views of crops give non-finite outputs; "
                    "its weights, or the mean and scale of its card, are wrong"
                    + ("" if self.precision == "float32" else f"; or try {parameter('precision', 'float32')}")
                )

    def _fitted(self, crops: Any) -> Any:
        if self.engine != "torch":
            crops = np.asarray(crops)
        cut = template(self.model.card.input.template)
        shape = tuple(crops.shape[1:])
        if shape[:2] == self.size or shape != (cut.height, cut.width, 3) or not len(crops):
            return crops
        if not isinstance(crops, np.ndarray):
            crops = crops.cpu().numpy()
        return np.stack([fit_crop(crop, self.size, self.model.card.input.fit) for crop in crops])

    def _fused(self, mu: np.ndarray) -> np.ndarray:
        return mu if self._rule.fuse is None else self._rule.fuse(*np.split(mu, 2))

    def _fields(self, uncertainty: np.ndarray) -> dict[str, Any]:
        """kappa or sigma2 of each crop: the mean over its views, image and mirror image."""
        head = self.model.head
        if head is None:
            return {}
        mean = uncertainty.reshape(self._rule.views, -1, uncertainty.shape[1]).mean(0)
        value = mean[:, 0] if head.kind == "kappa" else mean
        return {head.kind: value, "trained_dim": int(self.model.card.embedding.dim)}
