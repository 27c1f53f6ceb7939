"""The base class of all backbones."""

from torch import Tensor, nn

from facepipe.errors import ModelError


class Backbone(nn.Module):
    """A network N×3×H×W → N×D. ``forward(x)`` is ``head(feature_map(x))``; subclasses write these two.

    The feature map has a method of its own because uncertainty heads start from it.

    Attributes:
        input_size: (H, W) in pixels; the only size the network takes.
        embedding_dim: D.
        feature_shape: (C, h, w) of ``feature_map``.
        stage_channels: channels of each tensor of ``stages(x)``; empty where a network has no ``stages``.
    """

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
        # Four stride-2 layers with padding, in every network here: each rounds up.
        self.feature_shape = (channels, -(-height // 16), -(-width // 16))
        self.stage_channels = stage_channels

    def forward(self, x: Tensor) -> Tensor:
        """Embeddings N×D, not L2-normalised, of normalised crops N×3×H×W in the network's dtype.

        Raises:
            ModelError: the crops have another size than the network was built for.
        """
        return self.head(self.feature_map(x))

    def feature_map(self, x: Tensor) -> Tensor:
        """The last feature map N×C×h×w, before it is flattened."""
        raise NotImplementedError

    def head(self, feature_map: Tensor) -> Tensor:
        """The embedding N×D of a feature map N×C×h×w."""
        raise NotImplementedError

    def stages(self, x: Tensor) -> list[Tensor]:  # noqa: ARG002
        """The output of each stage, N×C×h×w, finest first; its last is ``feature_map(x)``."""
        raise ModelError(f"{type(self).__name__} has no stages to fuse; use its feature map alone")

    def maps(self, x: Tensor) -> list[Tensor]:
        """What an uncertainty head starts from: ``stages(x)``, or the feature map alone where there are no stages."""
        return self.stages(x) if self.stage_channels else [self.feature_map(x)]

    def check_input(self, x: Tensor) -> None:
        """Raise ModelError unless ``x`` is N×3×H×W of this network's size."""
        if x.ndim != 4 or tuple(x.shape[1:]) != (3, *self.input_size):
            shape, (height, width) = "×".join(map(str, x.shape)), self.input_size
            raise ModelError(f"{type(self).__name__}: crops must be N×3×{height}×{width}, got {shape}")
