"""Networks that turn a batch of aligned crops into embeddings, one file each; ``create(name)`` builds one."""

from facepipe.backbones import iresnet, mobilefacenet, mobilenet, resface64, sphereface
from facepipe.backbones.backbone import Backbone
from facepipe.backbones.registry import BackboneInfo, create, describe, names
from facepipe.backbones.sphereface import parameter_groups

__all__ = [
    "Backbone",
    "BackboneInfo",
    "create",
    "describe",
    "iresnet",
    "mobilefacenet",
    "mobilenet",
    "names",
    "parameter_groups",
    "resface64",
    "sphereface",
]
