"""Σu_i/n, the mean of the images' directions."""

from facepipe.score.poolings import POOLINGS, Pooling

POOLINGS.add("mean", Pooling("the mean of the images' directions"))
