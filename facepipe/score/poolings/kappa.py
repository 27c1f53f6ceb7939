"""Σκ_i u_i/Σκ_i (SCF, Eq. 14)."""

from facepipe.score.poolings import POOLINGS, Pooling

POOLINGS.add("kappa", Pooling("weighted by kappa (SCF, Eq. 14)", needs="kappa", weight=lambda kappa: kappa))
