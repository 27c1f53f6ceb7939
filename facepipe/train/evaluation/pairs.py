"""Verification during training on a pairs list in LFW format, with the code of ``facepipe eval lfw``."""

import math
from pathlib import Path

import numpy as np
import torch

from facepipe.alignment import Aligner, fit_crop
from facepipe.datasets.pairs.lfw_pairs import Pairs, read_lfw_pairs
from facepipe.datasets.samples.find_image import require_images
from facepipe.detection import create_detector
from facepipe.devices import figure_precision
from facepipe.embedding import Embedder, Embeddings
from facepipe.errors import DatasetError
from facepipe.pipeline import Cropper, read_batches
from facepipe.protocols import evaluate_lfw
from facepipe.train.recipe.schema import Recipe
from facepipe.train.run.card import as_model
from facepipe.zoo.headed import Trainable


def evaluation_of(recipe: Recipe) -> "type[PairsEvaluation] | None":
    """The ``evaluation`` argument of `facepipe.train.train` for this recipe; None if it has no pairs list."""
    return PairsEvaluation if recipe.evaluate.pairs else None


class PairsEvaluation:
    """Ten-fold accuracy by SphereFace's rule; photos are cropped once, at the first call.

    Args:
        recipe: images, pairs list and input format.
        device: device of network and detector.

    Raises:
        DatasetError: the pairs file or an image it names is missing.
    """

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        self.recipe = recipe
        self.device = device
        self.pairs: Pairs = read_lfw_pairs(Path(recipe.evaluate.pairs))
        folder, holder = Path(recipe.evaluate.images), "evaluate.images must hold those of evaluate.pairs"
        self.files = require_images(folder, self.pairs.names, holder)
        self._crops: np.ndarray | None = None
        self._detected = np.ones(len(self.files), bool)

    def __call__(self, net: Trainable) -> dict[str, float]:
        """Accuracy as a fraction, under ``lfw``, and its standard error."""
        crops = self._cropped()
        # Figures do not depend on the processor, even where training precision is automatic.
        precision = figure_precision(self.recipe.loop.precision)
        embedder = Embedder(as_model(net, self.recipe, self.device), precision=precision)
        embedded = embedder(crops)
        names = tuple(f"{name}.jpg" for name in self.pairs.names)
        embeddings = Embeddings(embedded.mu, embedded.model, embedded.flip, names, self._detected)
        result = evaluate_lfw(embeddings, self.pairs)
        known = {"lfw": result.accuracy, "lfw_error": result.std_error}
        return {name: math.nan if value is None else value for name, value in known.items()}

    def _cropped(self) -> np.ndarray:
        """uint8 N×H×W×3, one crop per name in the pairs list; the centre of the photo if no face is found."""
        if self._crops is None:
            detector = None if self.recipe.evaluate.aligned else create_detector(device=str(self.device))
            cropper = Cropper(Aligner(self.recipe.model.template), detector, on_miss="centre")
            crops: list[np.ndarray] = []
            for batch in read_batches(self.files):
                for image in cropper(batch):
                    if not image.crops:
                        raise DatasetError(f"{image.path}: {image.reason}")
                    self._detected[len(crops)] = image.status != "centre"
                    crops.append(fit_crop(image.crops[0], self.recipe.model.input_size, self.recipe.data.fit))
            self._crops = np.stack(crops)
        return self._crops
