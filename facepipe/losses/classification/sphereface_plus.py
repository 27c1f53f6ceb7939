"""SphereFace+: A-Softmax and a hyperspherical energy that pushes class directions apart."""

from typing import Literal

from pydantic import NonNegativeFloat

from facepipe.losses.classification.a_softmax import ASoftmax, ASoftmaxHead, Gradient
from facepipe.losses.classification.class_weights import ClassWeights
from facepipe.losses.classification.classifier import ClassificationLoss, Penalty
from facepipe.losses.classification.hyperspherical_energy import BatchEnergy, HypersphericalEnergy
from facepipe.losses.classification.psi import Annealing
from facepipe.losses.registry import register


@register(paper="Liu et al., Learning towards Minimum Hyperspherical Energy, NeurIPS 2018")
def sphereface_plus(
    embedding_dim: int,
    num_classes: int,
    *,
    m: Literal[1, 2, 3, 4] = 4,
    gradient: Gradient = "official",
    energy: Literal["mhe", "batch"] = "mhe",
    energy_weight: NonNegativeFloat = 0.1,
    energy_power: NonNegativeFloat = 2.0,
    base: NonNegativeFloat = 1000.0,
    gamma: NonNegativeFloat = 0.12,
    power: NonNegativeFloat = 1.0,
    lambda_min: NonNegativeFloat = 5.0,
) -> ClassificationLoss:
    """A-Softmax + λ_M · hyperspherical energy of the class weights, with one class matrix.

    The released SphereFace+ Caffe layer differs (it pushes the batch's classes away from the mean weight) and is
    not implemented here. The loss cannot be sharded: the energy compares classes with each other.

    Args:
        m, gradient, base, gamma, power, lambda_min: as in ``a_softmax``. The gradient of the energy is always its
            derivative through ŵ = w/‖w‖.
        energy: ``mhe`` the paper's sum over all other classes; ``batch`` the mean of θ^−2 between the classes
            in the batch.
        energy_weight: λ_M; 0.1 in opensphere's configuration.
        energy_power: s of ``mhe``, f_s(z) = z^−s, log z^−1 for 0; this project's default is 2.
    """
    penalty: Penalty
    if energy == "mhe":
        penalty = HypersphericalEnergy(energy_weight, energy_power)
    else:
        penalty = BatchEnergy(energy_weight)
    head = ASoftmaxHead(ASoftmax(m, Annealing(base, gamma, power, lambda_min)), gradient)
    classes = ClassWeights(num_classes, embedding_dim)
    return ClassificationLoss(classes, head, penalty=penalty, shardable=False)
