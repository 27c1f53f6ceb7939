"""Distillation from a teacher network."""
