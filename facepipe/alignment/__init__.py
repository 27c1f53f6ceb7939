"""Alignment: an image and landmarks in, a crop of fixed size out."""

from facepipe.alignment.aligner import Aligner, fit_crop
from facepipe.alignment.similarity import cp2tform, umeyama
from facepipe.alignment.templates import TEMPLATES, Template, template
from facepipe.alignment.warp import warp

__all__ = ["TEMPLATES", "Aligner", "Template", "cp2tform", "fit_crop", "template", "umeyama", "warp"]
