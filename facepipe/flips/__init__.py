"""How the embeddings of an image and of its mirror image become one: the flip rules by name, every file here one."""

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
    """One rule.

    Attributes:
        help: what it does, in a few words.
        fuse: joins the two; None where the mirror image is not embedded.
        halves: whether image and mirror image stand side by side, so that an embedding is twice as long.
    """

    help: str
    fuse: Fuse | None = None
    halves: bool = False

    @property
    def views(self) -> int:
        """How many images are embedded for one crop."""
        return 1 if self.fuse is None else 2


FLIPS: Registry[FlipRule] = Registry("flip rule", "facepipe.flips", EmbeddingsError, ("facepipe.flips",))
