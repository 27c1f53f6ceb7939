"""`facepipe.detection.arrays.Arrays` for PyTorch."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from facepipe.detection.suppress import suppress


class TorchArrays:
    """Tensors on one device.

    Args:
        device: the tensors' device.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def array(self, values: np.ndarray) -> Tensor:
        return torch.from_numpy(values).to(self.device)

    def host(self, values: Tensor) -> np.ndarray:
        return np.asarray(values.cpu().numpy())

    def concat(self, arrays: Sequence[Tensor], axis: int = 0) -> Tensor:
        return torch.cat(list(arrays), axis)

    def stack(self, arrays: Sequence[Tensor], axis: int = 0) -> Tensor:
        return torch.stack(list(arrays), axis)

    def minimum(self, a: Tensor, b: Tensor) -> Tensor:
        return torch.minimum(a, b)

    def take(self, values: Tensor, index: Tensor, axis: int) -> Tensor:
        return values.index_select(axis, index)

    def where(self, mask: Tensor) -> tuple[Tensor, ...]:
        return mask.nonzero(as_tuple=True)

    def flipped(self, values: Tensor) -> Tensor:
        return values.flip(0)

    def falling(self, scores: Tensor) -> Tensor:
        return torch.argsort(scores, descending=True, stable=True)

    def floor(self, values: Tensor) -> Tensor:
        return values.floor()

    def trunc(self, values: Tensor) -> Tensor:
        return values.trunc()

    def int64(self, values: Tensor) -> Tensor:
        return values.long()

    def float32(self, values: Tensor) -> Tensor:
        return values.float()

    def float64(self, values: Tensor) -> Tensor:
        return values.double()

    def arange(self, count: int) -> Tensor:
        return torch.arange(count, device=self.device)

    def scaled(self, sums: Tensor, area: Tensor) -> Tensor:
        # N×h×w×3 viewed as N×3×h×w is channels_last.
        scale = area.to(torch.float32).mul_(128).reciprocal_()
        return torch.mul(sums, scale).sub_(127.5 / 128).permute(0, 3, 1, 2)

    def suppress(
        self, boxes: Tensor, scores: Tensor, group: Tensor, threshold: float, over_smaller: bool = False
    ) -> Tensor:
        return suppress(boxes, scores, group, threshold, over_smaller)
