"""Verification on held-out identities, to select models without touching a test set."""

import numpy as np
import torch

from facepipe.datasets import Samples
from facepipe.devices import figure_precision
from facepipe.embedding import Embedder
from facepipe.score import cosine
from facepipe.train.data.crops import Crops
from facepipe.train.evaluation.calibrate import calibrate, pair_scores, subset
from facepipe.train.recipe.schema import Recipe
from facepipe.train.run.card import as_model
from facepipe.zoo.headed import Trainable


class HeldOutEvaluation:
    """Verification over all pairs of the held-out crops, which are decoded once, at the first call.

    Args:
        recipe: input format and false-accept rates.
        held_out: the samples; a fixed random subset is used if there are very many.
        device: device of the network.
        targets: float32 N×D, the teacher's targets for ``held_out``, zero rows where it has none; or None.
    """

    def __init__(
        self, recipe: Recipe, held_out: Samples, device: torch.device, targets: np.ndarray | None = None
    ) -> None:
        self.recipe = recipe
        self.device = device
        self.held_out = held_out
        self.chosen = subset(len(held_out), recipe.loop.seed)
        self.targets = None if targets is None else targets[self.chosen]
        self._crops: tuple[np.ndarray, np.ndarray] | None = None

    def __call__(self, net: Trainable) -> dict[str, float]:
        """Figures named ``held_out_…``.

        ``accuracy`` is that of the best threshold with genuine and impostor pairs weighted equally, ``tar_1e-2`` etc.
        the true-accept rate at that false-accept rate, ``teacher_cosine`` the mean cosine between the embedding,
        mirror image included, and the teacher's.
        """
        crops, labels = self._decoded()
        # Figures do not depend on the processor, even where training precision is automatic.
        precision = figure_precision(self.recipe.loop.precision)
        embedder = Embedder(as_model(net, self.recipe, self.device), precision=precision)
        mu = embedder(crops).mu
        genuine, impostor = pair_scores(mu, labels)
        figures = {"held_out_accuracy": best_accuracy(genuine, impostor)}
        thresholds, _ = calibrate(mu, labels, self.recipe.evaluate.fars)
        figures |= {f"held_out_tar_{point.far:.0e}".replace("e-0", "e-"): point.tar for point in thresholds}
        if self.targets is not None and mu.shape[1] == self.targets.shape[1]:
            known = self.targets.any(1)
            figures["held_out_teacher_cosine"] = float(cosine(mu[known], self.targets[known]).mean())
        return figures

    def _decoded(self) -> tuple[np.ndarray, np.ndarray]:
        if self._crops is None:
            model, seed = self.recipe.model, self.recipe.loop.seed
            crops = Crops(self.held_out, model.input_size, self.recipe.data.fit, 0, seed, max_corrupt=1.0)
            pixels, used = crops.numbered(self.chosen, self.chosen * 0)
            self._crops = pixels, self.held_out.labels[used]
        return self._crops


def best_accuracy(genuine: np.ndarray, impostor: np.ndarray) -> float:
    """The largest (TAR + 1 − FAR) / 2 over all thresholds; nan without pairs."""
    if not len(genuine) or not len(impostor):
        return float("nan")
    accepted = 1 - np.searchsorted(np.sort(genuine), genuine, side="left") / len(genuine)
    falsely_accepted = 1 - np.searchsorted(np.sort(impostor), genuine, side="left") / len(impostor)
    return float(max(0.5, ((accepted + 1 - falsely_accepted) / 2).max()))
