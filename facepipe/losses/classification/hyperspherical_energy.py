"""Hyperspherical energies, low when class directions are far apart on the sphere."""

from dataclasses import dataclass

import torch
from torch import Tensor

from facepipe.losses.classification.angle import angle, unit_rows
from facepipe.losses.classification.class_weights import ClassWeights

# Cosines are clamped here (0.26°), without a gradient beyond: the energy has a pole at 1.
LARGEST_COSINE = 1 - 1e-5


@dataclass(frozen=True)
class HypersphericalEnergy:
    """Minimum hyperspherical energy between each target class and all others.

    1/(m(C−1)) · Σ_i Σ_{j≠y_i} f_s(‖ŵ_{y_i} − ŵ_j‖) over the m samples of the batch, f_s(z) = z^−s, and
    log z^−1 for s = 0 (Liu et al., Learning towards Minimum Hyperspherical Energy, NeurIPS 2018).

    Attributes:
        weight: factor λ_M.
        s: power, at least 0.
    """

    weight: float
    s: float = 2.0

    def __call__(self, features: Tensor, classes: ClassWeights, label: Tensor, /) -> Tensor:
        """λ_M times the energy of each sample's class, N."""
        direction = unit_rows(classes.weight.to(features.dtype))[0]
        cosine = (direction[label] @ direction.T).clamp_max(LARGEST_COSINE)
        squared = 2 - 2 * cosine
        energy = -0.5 * squared.log() if self.s == 0 else squared ** (-self.s / 2)
        other = torch.ones_like(energy).scatter(1, label[:, None], 0)
        return self.weight * (energy * other).sum(1) / (len(direction) - 1)


@dataclass(frozen=True)
class BatchEnergy:
    """Mean of arccos(ŵ_i·ŵ_j)^−2 over the pairs of distinct classes in the batch.

    The form of ydwen/opensphere ``spherefaceplus.py`` (an early version); the paper's is
    :class:`HypersphericalEnergy`. A batch of a single class gives 0.

    Attributes:
        weight: factor λ_M.
    """

    weight: float

    def __call__(self, features: Tensor, classes: ClassWeights, label: Tensor, /) -> Tensor:
        """λ_M times the energy, the same number N times."""
        present = torch.unique(label)
        direction = unit_rows(classes.weight[present].to(features.dtype))[0]
        first, second = torch.triu_indices(len(present), len(present), 1, device=label.device)
        cosine = (direction[first] * direction[second]).sum(1).clamp_max(LARGEST_COSINE)
        energy = (angle(cosine) ** -2).sum() / max(len(first), 1)
        return (self.weight * energy).expand(len(label))
