"""Heads that estimate the reliability of an embedding: κ (SCF) or σ² (PFE, ProbFace). `create` builds one by name."""

from facepipe.uncertainty import compact, conv, paper, pfe, probface
from facepipe.uncertainty.head import HeadKind, UncertaintyHead
from facepipe.uncertainty.registry import HeadInfo, create, describe, names

__all__ = [
    "HeadInfo",
    "HeadKind",
    "UncertaintyHead",
    "compact",
    "conv",
    "create",
    "describe",
    "names",
    "paper",
    "pfe",
    "probface",
]
