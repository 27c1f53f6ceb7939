"""Networks that embed aligned crops, one file each; ``create(name)`` builds one."""

from facepipe.backbones import ir, iresnet, mobilefacenet, mobilenet, pfe_sphere64, resface64, sphereface
from facepipe.backbones.backbone import Backbone
from facepipe.backbones.registry import BackboneInfo, create, describe, names
from facepipe.backbones.sphereface import parameter_groups

__all__ = [
    "Backbone",
    "BackboneInfo",
    "create",
    "describe",
    "ir",
    "iresnet",
    "mobilefacenet",
    "mobilenet",
    "names",
    "parameter_groups",
    "pfe_sphere64",
    "resface64",
    "sphereface",
]
