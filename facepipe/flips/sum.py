"""Add the embeddings of image and mirror image, as insightface does."""

import operator

from facepipe.flips import FLIPS, FlipRule

FLIPS.add("sum", FlipRule("the mirror image's embedding added (insightface)", operator.add))
