"""A teacher that embeds the same augmented crops as the student."""

import copy

import torch
from torch import Tensor, nn

from facepipe.embedding.fold import fold_batch_norm
from facepipe.losses.classification.angle import unit_rows
from facepipe.train.recipe.file import RecipeError
from facepipe.train.recipe.schema import ModelSection
from facepipe.zoo import Model


class SameView:
    """Crops normalised for the student → the teacher's directions, float32 N×D unit rows (Beyer et al., Knowledge
    Distillation: A Good Teacher Is Patient and Consistent, CVPR 2022, Sec. 3).

    Args:
        teacher: embeds the crops, without their mirror images.
        student: the normalisation of the crops.
        mean: float32 D, subtracted from the teacher's unit embeddings.

    Raises:
        RecipeError: the teacher takes crops of another size.
    """

    def __init__(self, teacher: Model, student: ModelSection, mean: Tensor) -> None:
        card = teacher.card.input
        if tuple(card.size) != tuple(student.input_size):
            sizes = " and ".join("×".join(map(str, size)) for size in (card.size, student.input_size))
            raise RecipeError(f"teacher.same_view = true: teacher and student take crops of {sizes}; set it to false")
        self._student, self._teacher, self._mean = student, card, mean
        network = teacher.network
        if isinstance(network, nn.Module):
            folded = fold_batch_norm(copy.deepcopy(network).eval().requires_grad_(False))
            network = folded.to(memory_format=torch.channels_last)
        self._network = network

    @torch.no_grad()
    def __call__(self, crops: Tensor) -> Tensor:
        """Directions for crops N×3×H×W."""
        student, teacher = self._student, self._teacher
        if (student.mean, student.scale) != (teacher.mean, teacher.scale):
            crops = (crops * student.scale + (student.mean - teacher.mean)) / teacher.scale
        if student.channels != teacher.channels:
            crops = crops.flip(1)
        with torch.autocast(crops.device.type, enabled=False):
            directions = unit_rows(self._network(crops).float())[0]
        return unit_rows(directions - self._mean.to(directions.device))[0]
