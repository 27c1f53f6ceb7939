"""The modified softmax loss: unit class weights, no bias."""

from torch import Tensor

from facepipe.losses.registry import register_margin


@register_margin(
    paper="Liu et al., SphereFace: Deep Hypersphere Embedding for Face Recognition, CVPR 2017",
)
def modified_softmax(cosine: Tensor, norm: Tensor, _label: Tensor, _step: int) -> Tensor:
    """Logits ‖x‖·cos θ_j: class weights are normalised, features are not. Equals A-Softmax with m = 1."""
    return norm[:, None] * cosine
