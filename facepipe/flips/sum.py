"""The mirror image's embedding added to the image's, as insightface does."""

import operator

from facepipe.flips import FLIPS, FlipRule

FLIPS.add("sum", FlipRule("the mirror image's embedding added (insightface)", operator.add))
