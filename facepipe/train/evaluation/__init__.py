"""Evaluation of a run on identities it is not trained on."""
