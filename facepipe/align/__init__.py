"""Alignment: an image and landmarks in, a crop of fixed size out."""

from facepipe.align.aligner import Aligner
from facepipe.align.fit import fit
from facepipe.align.similarity import fit_similarity
from facepipe.align.templates import TEMPLATES, Template, template
from facepipe.align.warp import warp

__all__ = ["TEMPLATES", "Aligner", "Template", "fit", "fit_similarity", "template", "warp"]
