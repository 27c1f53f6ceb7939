"""A mobilenet that begins as a wider one with fewer channels, instead of from nothing."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from facepipe.backbones.mobilefacenet import ConvBlock

if TYPE_CHECKING:
    from facepipe.backbones.mobilenet import MobileNet

_RIDGE = 1e-4
"""Of the refit, as a share of the mean square of its inputs."""


@torch.no_grad()
def narrow(student: "MobileNet", teacher: "MobileNet", batches: Sequence[Tensor]) -> None:
    """Fill a student with the teacher's weights for the channels it has room for, in place.

    Of each layer, those channels stay from which the next one takes most: the mean square of the channel times that of
    the weights that read it. Then, front to back, each 1×1 convolution is refitted by least squares, so that from what
    the narrowed layers before it give it makes what the teacher's makes (He et al., Channel Pruning for Accelerating
    Very Deep Neural Networks, ICCV 2017, Eq. 1 with the channels given). Where the student reduces its last map, the
    teacher's dense layer is approximated by its leading singular vectors over channels.

    Args:
        student: no wider than the teacher, for the same crops and embedding.
        teacher: with ``reduced = 0``.
        batches: normalised crops N×3×H×W; their maps are kept, 6 MB a crop at 112×112.
    """
    modes = student.training, teacher.training
    student.eval()
    teacher.eval()
    kept = _kept(student, teacher, batches)
    _take(student.conv1, teacher.conv1, kept[0])
    maps = [(teacher.conv1(x), student.conv1(x)) for x in batches]
    for number, (ours, theirs) in enumerate(zip(student.separable(), teacher.separable(), strict=True)):
        _take(ours.depthwise, theirs.depthwise, kept[number])
        _take(ours.pointwise, theirs.pointwise, kept[number + 1], kept[number])
        maps = [(theirs.depthwise(message), ours.depthwise(seen)) for message, seen in maps]
        if len(kept[number]) < theirs.pointwise.conv.in_channels:
            _refit(ours.pointwise, theirs.pointwise, kept[number + 1], maps)
        maps = [(theirs.pointwise(message), ours.pointwise(seen)) for message, seen in maps]
    _take_norm(student.norm, teacher.norm, kept[-1])
    _take_dense(student, teacher, kept[-1])
    student.train(modes[0])
    teacher.train(modes[1])


def _kept(student: "MobileNet", teacher: "MobileNet", batches: Sequence[Tensor]) -> list[Tensor]:
    """Channels that stay before each block and after the last one, ascending."""
    squares, last = [torch.zeros(()) for _ in teacher.separable()], torch.zeros(())
    for x in batches:
        x = teacher.conv1(x)
        for number, block in enumerate(teacher.separable()):
            read = block.depthwise(x)
            squares[number] = squares[number] + read.square().mean((0, 2, 3))
            x = block.pointwise(read)
        last = last + teacher.norm(x).square().mean((0, 2, 3))
    taken = [square * block.pointwise.conv.weight.square().sum((0, 2, 3))
             for square, block in zip(squares, teacher.separable(), strict=True)]  # fmt: skip
    taken.append(last * _by_channel(teacher).square().sum((0, 2)))
    room = [block.depthwise.conv.out_channels for block in student.separable()] + [student.norm.num_features]
    return [score.topk(count).indices.sort().values for score, count in zip(taken, room, strict=True)]


def _by_channel(net: "MobileNet") -> Tensor:
    """The dense layer as D×C×places."""
    return net.fc.weight.unflatten(1, (-1, net.feature_shape[1] * net.feature_shape[2]))


def _take(ours: ConvBlock, theirs: ConvBlock, outputs: Tensor, inputs: Tensor | None = None) -> None:
    weight = theirs.conv.weight[outputs]
    ours.conv.weight.copy_(weight if inputs is None else weight[:, inputs])
    _take_norm(ours.bn, theirs.bn, outputs)
    assert isinstance(ours.prelu, nn.PReLU) and isinstance(theirs.prelu, nn.PReLU)
    ours.prelu.weight.copy_(theirs.prelu.weight[outputs])


def _take_norm(ours: nn.Module, theirs: nn.Module, channels: Tensor) -> None:
    ours.load_state_dict({
        name: tensor[channels] if tensor.ndim else tensor for name, tensor in theirs.state_dict().items()
    })  # fmt: skip


def _refit(ours: ConvBlock, theirs: ConvBlock, outputs: Tensor, maps: Sequence[tuple[Tensor, Tensor]]) -> None:
    """Least squares for a 1×1 convolution; its mean error goes into the batch norm after it.

    Args:
        outputs: which of the teacher's channels are to be made.
        maps: what the teacher's convolution and ours read.
    """
    moments = _Moments(theirs.conv.weight.new_zeros(()).double())
    for message, seen in maps:
        moments.add(_rows(seen), _rows(theirs.conv(message)[:, outputs]))
    x_mean, y_mean = moments.x / moments.count, moments.y / moments.count
    inner = moments.xx / moments.count - torch.outer(x_mean, x_mean)
    inner.diagonal().add_(_RIDGE * inner.diagonal().mean())
    weight = torch.linalg.solve(inner, moments.xy / moments.count - torch.outer(x_mean, y_mean))
    ours.conv.weight.copy_(weight.T[:, :, None, None])
    assert ours.bn.running_mean is not None
    ours.bn.running_mean += x_mean @ weight - y_mean


class _Moments:
    """Sums over rows x and y, and of their products, in float64."""

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
