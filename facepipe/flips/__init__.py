"""Flip rules, which combine the embeddings of an image and of its mirror image: one file each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from facepipe.errors import EmbeddingsError
from facepipe.registry import Registry

if TYPE_CHECKING:
    import numpy as np

Fuse = Callable[["np.ndarray", "np.ndarray"], "np.ndarray"]
"""Embeddings of images and of their mirror images, both float32 N×D → float32 N×D or N×2D."""


@dataclass(frozen=True)
class FlipRule:
    """A flip rule.

    Attributes:
        help: short description.
        fuse: combines the two; None if the mirror image is not embedded.
        halves: whether the embeddings are concatenated, which doubles the length.
    """

    help: str
    fuse: Fuse | None = None
    halves: bool = False

    @property
    def views(self) -> int:
        """Number of images embedded per crop."""
        return 1 if self.fuse is None else 2


FLIPS: Registry[FlipRule] = Registry("flip rule", "facepipe.flips", EmbeddingsError, ("facepipe.flips",))
