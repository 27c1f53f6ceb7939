"""Σmu_i/n, i.e. weighted by feature norm (insightface's published IJB script)."""

from facepipe.score.poolings import POOLINGS, Pooling

POOLINGS.add("norm", Pooling("the mean, weighted by feature norm", unit=False))
