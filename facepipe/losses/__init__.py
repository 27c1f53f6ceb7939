"""Training losses, one file each; ``create(name, embedding_dim, num_classes, **options)`` makes one.

A new margin is one function ``(cosine, norm, label, step, *, options) -> logits`` under ``register_margin``.
"""

from facepipe.losses import (
    a_softmax,
    arcface,
    center,
    contrastive,
    cosface,
    l_softmax,
    modified_softmax,
    normface,
    softmax,
    sphereface2,
    sphereface_plus,
    sphereface_r,
    triplet,
)
from facepipe.losses.angular_fisher import AngularFisher, angular_fisher_score
from facepipe.losses.class_weights import ClassWeights
from facepipe.losses.classification import ClassificationLoss
from facepipe.losses.loss import Loss, LossOutput
from facepipe.losses.margin import Head, Margin, MarginHead
from facepipe.losses.registry import LossInfo, create, describe, names, register, register_margin

__all__ = [
    "AngularFisher",
    "ClassWeights",
    "ClassificationLoss",
    "Head",
    "Loss",
    "LossInfo",
    "LossOutput",
    "Margin",
    "MarginHead",
    "a_softmax",
    "angular_fisher_score",
    "arcface",
    "center",
    "contrastive",
    "cosface",
    "create",
    "describe",
    "l_softmax",
    "modified_softmax",
    "names",
    "normface",
    "register",
    "register_margin",
    "softmax",
    "sphereface2",
    "sphereface_plus",
    "sphereface_r",
    "triplet",
]
