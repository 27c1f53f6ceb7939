"""Σmu_i/n, so that the feature norm is the weight (insightface's IJB script as it is published)."""

from facepipe.score.poolings import POOLINGS, Pooling

POOLINGS.add("norm", Pooling("the mean, a longer feature weighing more", unit=False))
