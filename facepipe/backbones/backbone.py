"""The base class of all backbones."""

from collections.abc import Sequence
from typing import Any, ClassVar

from torch import Tensor, nn

from facepipe.errors import ModelError


class Backbone(nn.Module):
    """A network N×3×H×W → N×D. ``forward(x)`` is ``head(feature_map(x))``; subclasses implement these two.

    The feature map has its own method because it is the input of uncertainty heads.

    Attributes:
        input_size: (H, W) in pixels, the only accepted size.
        embedding_dim: D.
        feature_shape: (C, h, w) of ``feature_map``.
        stage_channels: channels of each tensor of ``stages(x)``; empty if the network has no ``stages``.
        narrows: whether it can be initialised from a wider network of its kind, see `narrow_from`.
    """

    narrows: ClassVar[bool] = False

    def __init__(
        self,
        input_size: tuple[int, int],
        embedding_dim: int,
        channels: int,
        stage_channels: tuple[int, ...] = (),
    ) -> None:
        super().__init__()
        height, width = input_size
        self.input_size = (height, width)
        self.embedding_dim = embedding_dim
        # Every network has four padded stride-2 layers, each of which rounds up.
        self.feature_shape = (channels, -(-height // 16), -(-width // 16))
        self.stage_channels = stage_channels

    def forward(self, x: Tensor) -> Tensor:
        """Embeddings N×D, not L2-normalised, of normalised crops N×3×H×W in the network's dtype.

        Raises:
            ModelError: the crops do not have the size the network was built for.
        """
        return self.head(self.feature_map(x))

    def feature_map(self, x: Tensor) -> Tensor:
        """The last feature map N×C×h×w, before it is flattened."""
        raise NotImplementedError

    def head(self, feature_map: Tensor) -> Tensor:
        """The embedding N×D of a feature map N×C×h×w."""
        raise NotImplementedError

    def stages(self, x: Tensor) -> list[Tensor]:  # noqa: ARG002
        """The output of each stage, N×C×h×w, finest first; the last is ``feature_map(x)``."""
        raise ModelError(f"{type(self).__name__} has no stages to fuse; use its feature map alone")

    def maps(self, x: Tensor) -> list[Tensor]:
        """The input of an uncertainty head: ``stages(x)``, or the feature map alone if there are no stages."""
        return self.stages(x) if self.stage_channels else [self.feature_map(x)]

    def layers(self) -> dict[str, nn.Module]:
        """The sequential layers of ``feature_map``, by name; empty if it is not sequential and cannot be split."""
        return {}

    def parts(self) -> tuple["Backbone", None]:
        """The backbone itself and no uncertainty head; see `facepipe.zoo.headed.Headed`."""
        return self, None

    def published_groups(self, lr: float, weight_decay: float) -> list[dict[str, Any]] | None:  # noqa: ARG002
        """Optimiser groups with the multipliers published with the network; None if there are none.

        Args:
            lr: base learning rate.
            weight_decay: base weight decay.
        """
        return None

    def frozen_weights(self) -> dict[str, Tensor]:
        """The entries of ``state_dict`` that training does not change, by name."""
        return {}

    def narrow_from(self, wider: "Backbone", batches: Sequence[Tensor]) -> None:  # noqa: ARG002
        """Initialise in place from a wider network of the same kind, keeping its most important channels.

        Args:
            wider: a network of the same input size and embedding dimension.
            batches: normalised crops N×3×H×W, on which the layers are refitted.

        Raises:
            ModelError: not supported by networks of this kind, see ``narrows``, or the wider one is of another kind.
        """
        raise ModelError(f"{type(self).__name__} cannot be narrowed")

    def check_input(self, x: Tensor) -> None:
        """Raise ModelError unless ``x`` is N×3×H×W of this network's size."""
        if x.ndim != 4 or tuple(x.shape[1:]) != (3, *self.input_size):
            shape, (height, width) = "×".join(map(str, x.shape)), self.input_size
            raise ModelError(f"{type(self).__name__}: crops must be N×3×{height}×{width}, got {shape}")
