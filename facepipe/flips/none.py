"""The image alone."""

from facepipe.flips import FLIPS, FlipRule

FLIPS.add("none", FlipRule("the image alone"))
