"""`facepipe.alignment.warp` for many crops at once, on the device that holds the photos.

It reads the photos' summed-area tables, which MTCNN has already uploaded. With them the mean of a block costs four
reads whatever its size, so crops of any scale from any photo are cut together. The host only fits the transforms, and
waits for nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from facepipe.alignment.warp import block_side, covered, in_blocks
from facepipe.detection.resample import Tables
from facepipe.detection.workers import map_on_cores

_CPU_CHUNK, _GPU_CHUNK = 4, 32
"""Crops cut together; each takes about 6 MB while it is cut."""
_FARTHEST = 1 << 20
"""Blocks from the first one beyond which every photo has ended."""
_LARGEST_BLOCK = 2_900
"""Side of the largest block whose sum fits 32 bits."""


@dataclass(frozen=True)
class Placed:
    """Where a crop lies in its photo.

    Attributes:
        low: int64 2, first pixel (x, y) of the first block.
        factor: side of a block, in pixels.
        matrix: float64 2×3, crop pixels to blocks. Positions are small whatever the photo's size, so float32 suffices
            on the device.
    """

    low: np.ndarray
    factor: int
    matrix: np.ndarray


def place_crop(crop_to_image: np.ndarray, shape: tuple[int, ...], height: int, width: int) -> Placed | None:
    """Where a crop lies, by the rule of `facepipe.alignment.warp`; None if its blocks are too large for the device.

    Args:
        crop_to_image: float64 2×3, as for `facepipe.alignment.warp`.
        shape: of the photo.
        height, width: of the crop.
    """
    matrix = np.array(crop_to_image, np.float64)
    factor = block_side(matrix, shape)
    if factor > _LARGEST_BLOCK:
        return None
    low, _ = covered(matrix, shape, height, width, factor)
    return Placed(low, factor, in_blocks(matrix, low, factor))


def device_warp(tables: Tables, image: Sequence[int], crops: Sequence[Placed], height: int, width: int) -> Tensor:
    """Crops of photos whose tables are on a device.

    Args:
        tables: of PyTorch, see `facepipe.detection.resample.build_tables`.
        image: N, the photo in ``tables`` of each crop.
        crops: N, where they lie.
        height, width: size of a crop.

    Returns:
        uint8 N×height×width×3 on the device, black outside the photos.
    """
    device = tables.sums.device
    if not len(crops):
        return torch.zeros((0, height, width, 3), dtype=torch.uint8, device=device)
    whole = np.array([(row, one.factor, *one.low) for row, one in zip(image, crops, strict=True)], np.int64)
    numbers = torch.from_numpy(whole).to(device)
    matrices = torch.from_numpy(np.stack([one.matrix for one in crops]).astype(np.float32)).to(device)
    on_cores = device.type == "cpu"
    step = _CPU_CHUNK if on_cores else _GPU_CHUNK
    chunks = [slice(first, first + step) for first in range(0, len(crops), step)]

    def warped(chunk: slice) -> Tensor:
        return _warped(tables, numbers[chunk], matrices[chunk], height, width)

    return torch.cat(map_on_cores(warped, chunks) if on_cores else [warped(chunk) for chunk in chunks])


@torch.inference_mode()
def _warped(tables: Tables, numbers: Tensor, matrices: Tensor, height: int, width: int) -> Tensor:
    """One chunk; ``numbers`` are the photo, the block's side, and the first pixel (x, y)."""
    image, factor = numbers[:, 0], numbers[:, 1, None, None]
    across = torch.arange(width, device=numbers.device)
    down = torch.arange(height, device=numbers.device)[:, None]
    terms = matrices[:, :, :, None, None]
    x, y = (terms[:, axis, 0] * across + terms[:, axis, 1] * down + terms[:, axis, 2] for axis in (0, 1))
    limit = tables.width[image][:, None, None], tables.height[image][:, None, None]
    columns = _edges(x, factor, numbers[:, 2, None, None], limit[0])
    lines = _edges(y, factor, numbers[:, 3, None, None], limit[1])
    rows = [tables.start[image][:, None, None] + line * (limit[0] + 1) for line in lines]
    bands = [[right - left for left, right in pairwise(_read(tables, row, columns))] for row in rows]
    blocks = [[_mean(below - above, factor) for above, below in zip(*two, strict=True)] for two in pairwise(bands)]
    x, y = (_each_channel(at - at.floor()) for at in (x, y))
    upper, lower = (torch.lerp(left, right, x) for left, right in blocks)
    crops = torch.lerp(upper, lower, y)
    return crops.round_().to(torch.uint8).reshape(len(numbers), height, width, 3)


def _edges(at: Tensor, factor: Tensor, low: Tensor, limit: Tensor) -> list[Tensor]:
    """Begin, middle and end of the two blocks that each position lies between, cut off where the photo ends."""
    first = at.floor().clip(-_FARTHEST, _FARTHEST).long()
    return [torch.minimum(((first + number) * factor + low).clip(0), limit) for number in range(3)]


def _read(tables: Tables, row: Tensor, columns: list[Tensor]) -> list[Tensor]:
    """The tables' entries in these columns of a row, int32 N×h·w·3."""
    return [tables.sums.index_select(0, (row + column).reshape(-1)).reshape(len(row), -1) for column in columns]


def _mean(sums: Tensor, factor: Tensor) -> Tensor:
    """Grey level of a block, rounded as on the host."""
    return (sums / (factor * factor)[:, 0]).add_(0.5).floor_()


def _each_channel(part: Tensor) -> Tensor:
    return part[..., None].expand(*part.shape, 3).reshape(len(part), -1)
