"""The ``[teacher]`` section of a recipe, and the target directions of the student."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field
from rich.console import Console

from facepipe.datasets import Samples, take
from facepipe.score import unit
from facepipe.train.distributed.ranks import Ranks
from facepipe.train.loop.checkpoint import TrainingError
from facepipe.train.recipe.section import Section
from facepipe.train.teacher.features import teacher_features
from facepipe.zoo import Card, cache_folder, locate

CENTRE_CROPS = 2048
"""Crops whose mean embedding estimates that of all; the error is a fiftieth of their standard deviation."""

Weight = Annotated[float, Field(ge=0)]


class Teacher(Section):
    """The teacher, and the weight of each term of ``losses.Distillation``.

    The identity term is the recipe's ``[loss]``, over the labelled samples.
    """

    FORMER_NAMES: ClassVar[dict[str, str]] = {
        "begin": "initialise",
        "begin_crops": "initialise_crops",
        "keep": "interpolate",
    }

    model: str = ""  # name, card or folder of a run; empty: no teacher
    cache: str = ""  # folder of the teacher's embeddings; empty: teachers/ in the model cache
    mirror: bool = True  # average the embeddings of crop and mirror image: twice the time, less noisy targets
    same_view: bool = False  # embed each augmented crop during training, so that teacher and student see the same view
    centre: bool = True  # subtract the mean of all targets, so that strangers' cosines are around 0
    cosine: Weight = 1.0
    relational: Weight = 0.0
    identity: Weight = 0.0
    initialise: bool = False  # initialise the student with the teacher's weights, narrowed; see `narrow`
    # With frozen layers, share of the teacher in each weight of the finished model; see `interpolate_weights`.
    interpolate: Annotated[float, Field(ge=0, lt=1)] = 0.0
    initialise_crops: Annotated[int, Field(ge=1)] = 384  # crops used to select channels and refit layers


@dataclass(frozen=True)
class Targets:
    """Target directions, float32 N×D: unit rows, or zero where the crop is unreadable or no target was computed.

    Attributes:
        training: for the training samples.
        held_out: for the held-out samples, if there are any.
        mean: float32 D, the mean subtracted from the teacher's unit embeddings.
        card: the teacher's card.
    """

    training: np.ndarray
    held_out: np.ndarray | None
    mean: np.ndarray
    card: Card


def teacher_targets(
    settings: Teacher, samples: Samples, held_out: Samples | None, how: str, ranks: Ranks, console: Console
) -> Targets:
    """The teacher's targets for the samples, from the cache or computed by all ranks together.

    With ``same_view`` only the targets used before training are computed: of all samples if they initialise the class
    weights of an identity term, of `CENTRE_CROPS` samples if only their mean is needed, otherwise none.

    Args:
        settings: the section of the recipe.
        samples: the training crops.
        held_out: further crops that need targets, or None.
        how: ``data.fit``, how crops are fitted to the teacher's input size.
        ranks: the processes.
        console: for progress.

    Raises:
        ModelError: the teacher does not exist, or its weights are missing.
        ImageError: the first readable crop does not fit the teacher.
        TrainingError: the cache cannot be written.
    """
    card, _ = locate(settings.model)
    root = Path(settings.cache) if settings.cache else cache_folder() / "teachers"
    views = "both" if settings.mirror else "one"
    folder = root / f"{card.name}-{card.weights.sha256[:12]}-{how}-{views}"

    def of(several: Samples) -> np.ndarray:
        try:
            return teacher_features(settings.model, card, several, folder, how, ranks, console, settings.mirror)
        except OSError as error:
            reason = error.strerror or error
            raise TrainingError(f"{folder}: cannot be written ({reason}); choose another teacher.cache") from error

    needed = _needed(settings, len(samples))
    training = np.zeros((len(samples), card.embedding.dim), np.float32)
    if len(needed):
        chosen = samples if len(needed) == len(samples) else take(samples, needed)
        training[needed] = of(chosen)
    held_out_features = None if held_out is None else of(held_out)
    mean = mean_direction(training) if settings.centre else np.zeros(training.shape[1])
    held_out_targets = None if held_out_features is None else centred(held_out_features, mean)
    return Targets(centred(training, mean), held_out_targets, mean.astype(np.float32), card)


def _needed(settings: Teacher, count: int) -> np.ndarray:
    """Indices of the samples whose targets are needed before the first step, int64, ascending."""
    if not settings.same_view or settings.identity:
        return np.arange(count)
    if not settings.centre:
        return np.zeros(0, np.int64)
    chosen = np.random.Generator(np.random.Philox(key=[0, 0xCE7E])).permutation(count)[:CENTRE_CROPS]
    return np.sort(chosen)


def mean_direction(features: np.ndarray) -> np.ndarray:
    """Mean direction D of the non-zero rows of N×D."""
    known = features.any(1)
    return np.asarray(unit(features[known]).mean(0)) if known.any() else np.zeros(features.shape[1])


def centred(features: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Directions from ``mean`` (D) to the unit rows of N×D, float32 unit rows; zero rows stay zero."""
    known = np.asarray(features.any(1))
    return np.asarray(unit(unit(features) - mean) * known[:, None], np.float32)
