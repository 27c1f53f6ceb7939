"""Learning from a teacher: the recipe's section, and the directions that a student is to reach."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from rich.console import Console

from facepipe.datasets import Samples, take
from facepipe.score import unit
from facepipe.train.distributed.ranks import Ranks
from facepipe.train.loop.checkpoint import TrainingError
from facepipe.train.teacher.features import teacher_features
from facepipe.zoo import Card, cache_folder, locate

CENTRE_CROPS = 2048
"""Crops whose mean embedding is taken for that of all: it is off by a fiftieth of their spread."""

Weight = Annotated[float, Field(ge=0)]


class Teacher(BaseModel):
    """Whose embeddings are learnt, and how much each term of ``losses.Distillation`` counts.

    The identity term is the recipe's ``[loss]``, over the samples that have a name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = ""  # name, card or folder of a run; empty: no teacher
    cache: str = ""  # folder of the teacher's embeddings; empty: teachers/ in the model cache
    mirror: bool = True  # average its embeddings of crop and mirror image: twice the time, a quieter target
    same_view: bool = False  # it looks at each augmented crop itself, so that both are asked the same question
    centre: bool = True  # take the mean of all targets away first, so that strangers' cosines lie around 0
    cosine: Weight = 1.0
    relational: Weight = 0.0
    identity: Weight = 0.0
    begin: bool = False  # the student's first weights are the teacher's, narrowed; see `narrow`
    # Of the finished model, how much of each weight is the teacher's, where layers are frozen; see `between`.
    keep: Annotated[float, Field(ge=0, lt=1)] = 0.0
    begin_crops: Annotated[int, Field(ge=1)] = 384  # on which channels are chosen and layers refitted


@dataclass(frozen=True)
class Targets:
    """Directions to reach, float32 N×D: unit rows, or zero where the teacher could not read the crop or was not asked.

    Attributes:
        training: of the training samples.
        held_out: of the held-out samples, if there are any.
        mean: float32 D, what was taken away from the teacher's unit embeddings.
        card: the teacher's.
    """

    training: np.ndarray
    held_out: np.ndarray | None
    mean: np.ndarray
    card: Card


def teacher_targets(
    settings: Teacher, samples: Samples, held_out: Samples | None, how: str, ranks: Ranks, console: Console
) -> Targets:
    """What the teacher says of the samples, computed by all ranks together where it is not in the cache.

    A teacher that looks at each augmented crop itself (``same_view``) is asked beforehand only for what is used: all
    samples where they begin the class weights of an identity term, `CENTRE_CROPS` of them where only their mean is
    taken away, none otherwise.

    Args:
        settings: of the recipe.
        samples: the crops to train on.
        held_out: others, whose targets are wanted too; or None.
        how: ``data.fit``, how crops come to the teacher's size.
        ranks: the processes.
        console: for progress.

    Raises:
        ModelError: there is no such teacher, or its weights are not at hand.
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

    asked = _asked(settings, len(samples))
    training = np.zeros((len(samples), card.embedding.dim), np.float32)
    if len(asked):
        chosen = samples if len(asked) == len(samples) else take(samples, asked)
        training[asked] = of(chosen)
    apart = None if held_out is None else of(held_out)
    mean = mean_direction(training) if settings.centre else np.zeros(training.shape[1])
    held_out_targets = None if apart is None else centred(apart, mean)
    return Targets(centred(training, mean), held_out_targets, mean.astype(np.float32), card)


def _asked(settings: Teacher, count: int) -> np.ndarray:
    """Which of so many samples the teacher is asked of before the first step, int64, ascending."""
    if not settings.same_view or settings.identity:
        return np.arange(count)
    if not settings.centre:
        return np.zeros(0, np.int64)
    chosen = np.random.Generator(np.random.Philox(key=[0, 0xCE7E])).permutation(count)[:CENTRE_CROPS]
    return np.sort(chosen)


def mean_direction(features: np.ndarray) -> np.ndarray:
    """Mean of the unit rows of N×D that are not zero, D."""
    known = features.any(1)
    return np.asarray(unit(features[known]).mean(0)) if known.any() else np.zeros(features.shape[1])


def centred(features: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Directions from ``mean`` (D) to the unit rows of N×D, float32 unit rows; zero rows stay zero."""
    known = np.asarray(features.any(1))
    return np.asarray(unit(unit(features) - mean) * known[:, None], np.float32)
