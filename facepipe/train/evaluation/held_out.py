"""Verification of people whom nobody trained on, to choose models by without touching a test set."""

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
    """All pairs of the held-out crops; the crops are decoded at the first call and kept.

    Args:
        recipe: how crops become input, and the false-accept rates.
        held_out: the samples; of very many, a fixed random part is taken.
        device: what the network runs on.
        targets: float32 N×D, what a teacher says of ``held_out``, zero rows where it says nothing; or None.
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
        """Figures under ``held_out_…``.

        ``accuracy`` is that of the best threshold on as many genuine as impostor pairs, ``tar_1e-2`` and so on
        the share of genuine pairs accepted at that false-accept rate, ``teacher_cosine`` the mean cosine of an
        embedding, mirror image included, with the teacher's.
        """
        crops, labels = self._decoded()
        # Where the recipe lets training follow the processor, its figures do not.
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
    """The largest (TAR + 1 − FAR) / 2 over all thresholds, accepting scores at or above; nan without pairs."""
    if not len(genuine) or not len(impostor):
        return float("nan")
    accepted = 1 - np.searchsorted(np.sort(genuine), genuine, side="left") / len(genuine)
    let_through = 1 - np.searchsorted(np.sort(impostor), genuine, side="left") / len(impostor)
    return float(max(0.5, ((accepted + 1 - let_through) / 2).max()))
