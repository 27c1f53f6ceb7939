"""Initialise a mobilenet by pruning the channels of a wider one."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from facepipe.backbones.mobilefacenet import ConvBlock

if TYPE_CHECKING:
    from facepipe.backbones.mobilenet import MobileNet

_RIDGE = 1e-4
"""Ridge regularisation of the refit, relative to the mean square of its inputs."""


@torch.no_grad()
def narrow(student: "MobileNet", teacher: "MobileNet", batches: Sequence[Tensor]) -> None:
    """Initialise a student in place with the teacher's most important channels.

    The importance of a channel is its mean square times the squared norm of the weights that read it. Then, front to
    back, each 1×1 convolution is refitted by least squares to reproduce the teacher's output from its pruned input (He
    et al., Channel Pruning for Accelerating Very Deep Neural Networks, ICCV 2017, Eq. 1 with given channels). If the
    student reduces its last map, the teacher's dense layer is approximated by its leading singular vectors over
    channels.

    Args:
        student: no wider than the teacher, with the same input size and embedding dimension.
        teacher: with ``reduced = 0``.
        batches: normalised crops N×3×H×W; their maps are kept in memory, 6 MB per crop at 112×112.
    """
    modes = student.training, teacher.training
    student.eval()
    teacher.eval()
    kept = _kept(student, teacher, batches)
    _take(student.conv1, teacher.conv1, kept[0])
    maps = [(teacher.conv1(x), student.conv1(x)) for x in batches]
    for number, (narrow_block, wide_block) in enumerate(zip(student.separable(), teacher.separable(), strict=True)):
        _take(narrow_block.depthwise, wide_block.depthwise, kept[number])
        _take(narrow_block.pointwise, wide_block.pointwise, kept[number + 1], kept[number])
        maps = [(wide_block.depthwise(wide), narrow_block.depthwise(narrow)) for wide, narrow in maps]
        if len(kept[number]) < wide_block.pointwise.conv.in_channels:
            _refit(narrow_block.pointwise, wide_block.pointwise, kept[number + 1], maps)
        maps = [(wide_block.pointwise(wide), narrow_block.pointwise(narrow)) for wide, narrow in maps]
    _take_norm(student.norm, teacher.norm, kept[-1])
    _take_dense(student, teacher, kept[-1])
    student.train(modes[0])
    teacher.train(modes[1])


def _kept(student: "MobileNet", teacher: "MobileNet", batches: Sequence[Tensor]) -> list[Tensor]:
    """Channels to keep before each block and after the last one, ascending."""
    squares, last = [torch.zeros(()) for _ in teacher.separable()], torch.zeros(())
    for x in batches:
        x = teacher.conv1(x)
        for number, block in enumerate(teacher.separable()):
            x = block.depthwise(x)
            squares[number] = squares[number] + x.square().mean((0, 2, 3))
            x = block.pointwise(x)
        last = last + teacher.norm(x).square().mean((0, 2, 3))
    importance = [square * block.pointwise.conv.weight.square().sum((0, 2, 3))
                  for square, block in zip(squares, teacher.separable(), strict=True)]  # fmt: skip
    importance.append(last * _by_channel(teacher).square().sum((0, 2)))
    counts = [block.depthwise.conv.out_channels for block in student.separable()] + [student.norm.num_features]
    return [score.topk(count).indices.sort().values for score, count in zip(importance, counts, strict=True)]


def _by_channel(net: "MobileNet") -> Tensor:
    """The dense layer as D×C×(h·w)."""
    return net.fc.weight.unflatten(1, (-1, net.feature_shape[1] * net.feature_shape[2]))


def _take(student: ConvBlock, teacher: ConvBlock, outputs: Tensor, inputs: Tensor | None = None) -> None:
    weight = teacher.conv.weight[outputs]
    student.conv.weight.copy_(weight if inputs is None else weight[:, inputs])
    _take_norm(student.bn, teacher.bn, outputs)
    assert isinstance(student.prelu, nn.PReLU) and isinstance(teacher.prelu, nn.PReLU)
    student.prelu.weight.copy_(teacher.prelu.weight[outputs])


def _take_norm(student: nn.Module, teacher: nn.Module, channels: Tensor) -> None:
    student.load_state_dict({
        name: tensor[channels] if tensor.ndim else tensor for name, tensor in teacher.state_dict().items()
    })  # fmt: skip


def _refit(student: ConvBlock, teacher: ConvBlock, outputs: Tensor, maps: Sequence[tuple[Tensor, Tensor]]) -> None:
    """Refit a 1×1 convolution by least squares; the mean error is absorbed by the following batch norm.

    Args:
        outputs: the teacher's channels to reproduce.
        maps: inputs of the teacher's and of the student's convolution.
    """
    moments = _Moments(teacher.conv.weight.new_zeros(()).double())
    for wide, narrow in maps:
        moments.add(_rows(narrow), _rows(teacher.conv(wide)[:, outputs]))
    x_mean, y_mean = moments.x / moments.count, moments.y / moments.count
    inner = moments.xx / moments.count - torch.outer(x_mean, x_mean)
    inner.diagonal().add_(_RIDGE * inner.diagonal().mean())
    weight = torch.linalg.solve(inner, moments.xy / moments.count - torch.outer(x_mean, y_mean))
    student.conv.weight.copy_(weight.T[:, :, None, None])
    assert student.bn.running_mean is not None
    student.bn.running_mean += x_mean @ weight - y_mean


class _Moments:
    """Sums of rows x and y and of their products, in float64."""

    def __init__(self, zero: Tensor) -> None:
        self.x, self.y, self.xx, self.xy, self.count = zero, zero, zero, zero, 0

    def add(self, x: Tensor, y: Tensor) -> None:
        self.x, self.y = self.x + x.sum(0), self.y + y.sum(0)
        self.xx, self.xy = self.xx + x.T @ x, self.xy + x.T @ y
        self.count += len(x)


def _rows(x: Tensor) -> Tensor:
    """N×C×h×w as (N·h·w)×C."""
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])


def _take_dense(student: "MobileNet", teacher: "MobileNet", channels: Tensor) -> None:
    student.fc_norm.load_state_dict(teacher.fc_norm.state_dict())
    dense = _by_channel(teacher)[:, channels]
    if isinstance(student.reduce, nn.Identity):
        student.fc.weight.copy_(dense.flatten(1))
        return
    over_channels = dense.transpose(0, 1).flatten(1)
    # Left singular vectors, those of the largest singular values first.
    vectors = torch.linalg.eigh(over_channels.double() @ over_channels.double().T).eigenvectors.to(dense.dtype).flip(1)
    leading = vectors[:, : student.reduce.out_channels]
    student.reduce.weight.copy_(leading.T[:, :, None, None])
    student.fc.weight.copy_((leading.T @ over_channels).unflatten(1, (len(dense), -1)).transpose(0, 1).flatten(1))
