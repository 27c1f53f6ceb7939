"""Losses that train a confidence head: SCF, PFE, ProbFace."""
