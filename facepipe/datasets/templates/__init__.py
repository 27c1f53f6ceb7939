"""Data sets with templates, galleries and probes: IJB, BLUFR, MegaFace, open-set LFW."""
