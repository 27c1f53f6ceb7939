"""The three networks of MTCNN (Zhang et al., 2016, "Joint Face Detection and Alignment ...").

The weights are the authors', as distributed by facenet-pytorch; they ship with facepipe, see the card
``models/detectors/mtcnn.toml``.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facepipe.weights import detector_weights

_LANES = 16
"""Channels that fit in a vector register of the CPU. PyTorch's element-wise layers on a channels_last map with
fewer channels are several times slower than with this many, so P-Net is padded with channels of zeros."""


class PNet(nn.Module):
    """Proposal network, fully convolutional: a 12×12 window at stride 2."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.prelu1 = nn.Conv2d(3, _LANES, 3), nn.PReLU(_LANES)
        self.conv2, self.prelu2 = nn.Conv2d(10, 16, 3), nn.PReLU(16)
        self.conv3, self.prelu3 = nn.Conv2d(16, 32, 3), nn.PReLU(32)
        self.conv4 = nn.Conv2d(32, _LANES, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """N×3×H×W to face probability N×h×w and box regression N×4×h×w."""
        x = self.prelu1(self.conv1(x))[:, :10]
        x = _pool(_pool(x, 2, 2), 3, 2)
        x = self.conv4(self.prelu3(self.conv3(self.prelu2(self.conv2(x)))))
        return _face_probability(x[:, :2]), x[:, 2:6]


class RNet(nn.Module):
    """Refinement network on 24×24 candidates."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.prelu1 = nn.Conv2d(3, 28, 3), nn.PReLU(28)
        self.conv2, self.prelu2 = nn.Conv2d(28, 48, 3), nn.PReLU(48)
        self.conv3, self.prelu3 = nn.Conv2d(48, 64, 2), nn.PReLU(64)
        self.dense4, self.prelu4 = nn.Linear(576, 128), nn.PReLU(128)
        self.dense5_1, self.dense5_2 = nn.Linear(128, 2), nn.Linear(128, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """N×3×24×24 to face probability N and box regression N×4."""
        x = self.prelu1(self.conv1(x))
        x = _pool(_pool(x, 2, 3), 3, 3)
        x = F.max_pool2d(self.prelu2(self.conv2(x)), 3, 2, ceil_mode=True)
        x = _flatten(self.prelu3(self.conv3(x)))
        x = self.prelu4(self.dense4(x))
        return _face_probability(self.dense5_1(x)), self.dense5_2(x)


class ONet(nn.Module):
    """Output network on 48×48 candidates."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.prelu1 = nn.Conv2d(3, 32, 3), nn.PReLU(32)
        self.conv2, self.prelu2 = nn.Conv2d(32, 64, 3), nn.PReLU(64)
        self.conv3, self.prelu3 = nn.Conv2d(64, 64, 3), nn.PReLU(64)
        self.conv4, self.prelu4 = nn.Conv2d(64, 128, 2), nn.PReLU(128)
        self.dense5, self.prelu5 = nn.Linear(1152, 256), nn.PReLU(256)
        self.dense6_1, self.dense6_2, self.dense6_3 = nn.Linear(256, 2), nn.Linear(256, 4), nn.Linear(256, 10)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """N×3×48×48 to face probability N, box regression N×4, landmarks N×10 (five x, then five y)."""
        x = F.max_pool2d(self.prelu1(self.conv1(x)), 3, 2, ceil_mode=True)
        x = F.max_pool2d(self.prelu2(self.conv2(x)), 3, 2, ceil_mode=True)
        x = F.max_pool2d(self.prelu3(self.conv3(x)), 2, 2, ceil_mode=True)
        x = _flatten(self.prelu4(self.conv4(x)))
        x = self.prelu5(self.dense5(x))
        return _face_probability(self.dense6_1(x)), self.dense6_2(x), self.dense6_3(x)


def _face_probability(logits: Tensor) -> Tensor:
    return torch.softmax(logits, dim=1)[:, 1]


def _pool(x: Tensor, axis: int, kernel: int) -> Tensor:
    """Maximum over windows of 2 or 3 at stride 2 along axis 2 or 3; a window may end beyond the edge.

    Applied to both axes in turn this is max pooling with ceil_mode, and on channels_last maps with few channels it is
    two to three times as fast as PyTorch's max_pool2d.
    """
    count = max(1, -(-(x.shape[axis] - kernel) // 2) + 1)
    pooled = _every_second(x, axis, 0, count)
    for offset in range(1, kernel):
        other = _every_second(x, axis, offset, count)
        missing = count - other.shape[axis]
        larger = torch.maximum(pooled.narrow(axis, 0, count - missing), other)
        pooled = torch.cat([larger, pooled.narrow(axis, count - missing, missing)], axis) if missing else larger
    return pooled


def _every_second(x: Tensor, axis: int, first: int, count: int) -> Tensor:
    found = x[:, :, first::2] if axis == 2 else x[..., first::2]
    return found.narrow(axis, 0, min(count, found.shape[axis]))


def _flatten(x: Tensor) -> Tensor:
    # Rows, columns, channels: the memory order of a channels_last map, so that nothing is copied.
    return x.permute(0, 2, 3, 1).flatten(1)


def load_networks(device: torch.device) -> tuple[PNet, RNet, ONet]:
    """P-Net, R-Net and O-Net with their published weights, in eval mode, channels_last.

    Raises:
        ModelError: the weights file is missing or damaged.
    """
    from safetensors.torch import load_file

    weights = load_file(detector_weights("mtcnn"))
    networks = PNet(), RNet(), ONet()
    for network, dense, side in zip(networks, (None, "dense4", "dense5"), (0, 3, 3), strict=True):
        own = f"{type(network).__name__.lower()}."
        state = {name.removeprefix(own): values for name, values in weights.items() if name.startswith(own)}
        if isinstance(network, PNet):
            state = _widened(state)
        if dense is not None:
            state[f"{dense}.weight"] = _from_column_order(state[f"{dense}.weight"], side)
        network.load_state_dict(state)
        network.eval().requires_grad_(False)
        network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return networks


def _widened(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """P-Net's published weights with zeros for the added channels, and its two heads combined."""
    for part in ("weight", "bias"):
        state[f"conv4.{part}"] = torch.cat([state.pop(f"conv4_1.{part}"), state.pop(f"conv4_2.{part}")])
    for name in ("conv1.weight", "conv1.bias", "prelu1.weight", "conv4.weight", "conv4.bias"):
        values = state[name]
        state[name] = torch.cat([values, values.new_zeros(_LANES - len(values), *values.shape[1:])])
    return state


def _from_column_order(weight: Tensor, side: int) -> Tensor:
    # The published dense layers take columns, rows, channels: MATLAB's order, passed to Caffe.
    outputs = len(weight)
    return weight.view(outputs, side, side, -1).transpose(1, 2).reshape(outputs, -1).contiguous()
