"""A teacher that looks at the very crops that the student is given, augmentation included."""

import copy

import torch
from torch import Tensor, nn

from facepipe.embedding.fold import fold_batch_norm
from facepipe.losses.classification.angle import unit_rows
from facepipe.train.recipe.file import RecipeError
from facepipe.train.recipe.schema import ModelSection
from facepipe.zoo import Model


class SameView:
    """Crops as the student gets them → the teacher's directions, float32 N×D unit rows (Beyer et al., Knowledge
    Distillation: A Good Teacher Is Patient and Consistent, CVPR 2022, Sec. 3).

    Args:
        teacher: whose embeddings of one view are asked for.
        student: how the crops are normalised.
        mean: float32 D, taken away from the teacher's unit embeddings.

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
            own = fold_batch_norm(copy.deepcopy(network).eval().requires_grad_(False))
            network = own.to(memory_format=torch.channels_last)
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
            message = unit_rows(self._network(crops).float())[0]
        return unit_rows(message - self._mean.to(message.device))[0]
