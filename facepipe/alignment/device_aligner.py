"""An aligner whose crops are cut on the device and stay there."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from facepipe.alignment.aligner import Aligner
from facepipe.alignment.device_warp import Placed, device_warp, place_crop
from facepipe.alignment.templates import Template
from facepipe.alignment.warp import warp
from facepipe.detection.shared_tables import SharedTables
from facepipe.detection.torch_arrays import TorchArrays
from facepipe.devices import in_halves

_MOST_PIXELS = 16_000_000
"""Photos with more are cut on the host: their tables would take 12 bytes a pixel for a crop of a few pixels."""


@dataclass(frozen=True)
class PlannedCrop:
    """A crop that is still to be cut.

    Attributes:
        image: uint8 H×W×3, the photo on the host.
        place: where the crop lies in it.
    """

    image: np.ndarray
    place: Placed


class DeviceAligner(Aligner):
    """See `Aligner`; crops between `cut` and `stack` are cut on the device, all of a batch at once.

    They differ from the host's by less than half a grey level on average. Crops from photos of more than 16 million
    pixels, and crops without a face, are cut on the host and uploaded with the batch.

    Args:
        cut: as for `Aligner`.
        device: where crops are wanted.
    """

    def __init__(self, cut: str | Template, device: torch.device) -> None:
        super().__init__(cut)
        self.device = device
        self.tables = SharedTables(TorchArrays(device))

    def cut(self, image: np.ndarray, landmarks: np.ndarray) -> PlannedCrop | np.ndarray:
        """The crop of one face, planned; the crop itself if the host cuts it. Arguments and errors as for a call."""
        matrix = self.matrix(landmarks)
        pixels = image.shape[0] * image.shape[1]
        place = place_crop(matrix, image.shape, *self.size) if pixels <= _MOST_PIXELS else None
        return warp(image, matrix, *self.size) if place is None else PlannedCrop(image, place)

    def stack(self, crops: Sequence[PlannedCrop | np.ndarray]) -> Tensor:
        """The crops of a batch, uint8 N×h×w×3 on the device; the tables of its photos are dropped.

        Raises:
            DeviceError: the device's memory does not suffice for a single crop.
        """
        try:
            return torch.cat(in_halves(lambda some: [self._stacked(some)], list(crops)))
        finally:
            self.tables.clear()

    def _stacked(self, crops: Sequence[PlannedCrop | np.ndarray]) -> Tensor:
        planned = {number: crop for number, crop in enumerate(crops) if isinstance(crop, PlannedCrop)}
        ready = {number: crop for number, crop in enumerate(crops) if isinstance(crop, np.ndarray)}
        order, parts = list(ready), [torch.from_numpy(super().stack(list(ready.values()))).to(self.device)]
        numbers = list(planned)
        for group in self.tables.groups([crop.image for crop in planned.values()]):
            these = [numbers[photo] for photo in group.photos]
            parts.append(device_warp(group.tables, group.rows, [planned[one].place for one in these], *self.size))
            order += these
        back = torch.from_numpy(np.argsort(np.array(order, np.int64))).to(self.device)
        return torch.cat(parts).index_select(0, back)
