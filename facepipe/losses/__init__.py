"""Training losses, one file each; ``create(name, embedding_dim, num_classes, **options)`` builds one.

A new margin is one function ``(cosine, norm, label, step, *, options) -> logits`` decorated with ``register_margin``.
"""

from facepipe.losses.angular_fisher import AngularFisher, angular_fisher_score
from facepipe.losses.classification import (
    a_softmax,
    arcface,
    cosface,
    l_softmax,
    modified_softmax,
    normface,
    softmax,
    sphereface2,
    sphereface_plus,
    sphereface_r,
)
from facepipe.losses.classification.class_weights import ClassWeights
from facepipe.losses.classification.classifier import ClassificationLoss
from facepipe.losses.classification.margin import ClassificationHead, Margin, MarginHead
from facepipe.losses.distillation import Distillation, Strangers
from facepipe.losses.loss import Loss, LossOutput
from facepipe.losses.metric import center, contrastive, triplet
from facepipe.losses.registry import LossInfo, create, describe, names, register, register_margin
from facepipe.losses.strangers import strangers_term
from facepipe.losses.uncertainty import pfe, probface, scf
from facepipe.losses.uncertainty.mls import fast_mls_loss, mls_mean_loss, mls_sum_loss
from facepipe.losses.uncertainty.output_constraint import output_constraint
from facepipe.losses.uncertainty.probface import uncertainty_log
from facepipe.losses.uncertainty.r_vmf import RVMFLoss, RVMFTerms
from facepipe.losses.uncertainty.scf import SCFLoss
from facepipe.losses.uncertainty.uncertainty_loss import UncertaintyLoss, head_features
from facepipe.losses.uncertainty.uncertainty_triplet import uncertainty_distance, uncertainty_triplet

__all__ = [
    "AngularFisher",
    "ClassWeights",
    "ClassificationHead",
    "ClassificationLoss",
    "Distillation",
    "Loss",
    "LossInfo",
    "LossOutput",
    "Margin",
    "MarginHead",
    "RVMFLoss",
    "RVMFTerms",
    "SCFLoss",
    "Strangers",
    "UncertaintyLoss",
    "a_softmax",
    "angular_fisher_score",
    "arcface",
    "center",
    "contrastive",
    "cosface",
    "create",
    "describe",
    "fast_mls_loss",
    "head_features",
    "l_softmax",
    "mls_mean_loss",
    "mls_sum_loss",
    "modified_softmax",
    "names",
    "normface",
    "output_constraint",
    "pfe",
    "probface",
    "register",
    "register_margin",
    "scf",
    "softmax",
    "sphereface2",
    "sphereface_plus",
    "sphereface_r",
    "strangers_term",
    "triplet",
    "uncertainty_distance",
    "uncertainty_log",
    "uncertainty_triplet",
]
