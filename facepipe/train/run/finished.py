"""Checks on a finished run: that it is complete, and that its data have not changed."""

import json
from pathlib import Path
from typing import Any

from facepipe.datasets import fingerprint
from facepipe.datasets.samples.samples import contents_digest
from facepipe.files.stored import is_stored
from facepipe.train.heads.frozen import backbone_card, head_note
from facepipe.train.loop.checkpoint import TrainingError, checkpoint_folders, read_values, require_data
from facepipe.train.loop.log import LOG
from facepipe.train.recipe.file import load_recipe
from facepipe.train.recipe.schema import Recipe
from facepipe.train.run.card import CARD
from facepipe.train.run.folder import RECIPE
from facepipe.train.run.prepare import open_data
from facepipe.zoo.card_file import read_card


def is_finished(recipe: Recipe, run: Path) -> bool:
    """Whether ``run`` holds the finished model of this recipe.

    Data under another path count as different; `facepipe.train.train` with ``resume`` compares the data themselves.

    Args:
        recipe: from `facepipe.train.recipe.resolve` with ``resume``, which has compared it with the saved recipe.
        run: the run folder, which need not exist.

    Raises:
        TrainingError: its head was trained on another backbone, or the backbone has changed since.
    """
    if not (run / CARD).is_file() or not finished_event(run):
        return False
    if load_recipe(str(run / RECIPE)).data.paths != recipe.data.paths:
        return False
    if recipe.uncertainty.head:
        backbone = backbone_card(recipe)
        if head_note(backbone) not in read_card(run / CARD).source.notes:
            raise TrainingError(
                f"{run}: its head was trained on a backbone other than {backbone.identity}, or on an earlier version "
                "of it; choose another folder"
            )
    return True


def data_exist(recipe: Recipe) -> bool:
    """Whether all data paths of a recipe exist; those in object stores are assumed to."""
    return all(is_stored(path) or Path(path).exists() for path in (*recipe.data.paths, *recipe.data.unlabelled))


def finished_event(run: Path) -> dict[str, Any]:
    """The last log entry of a finished run, the summary of `facepipe.train.train`; empty if it is not finished."""
    try:
        *_, last = (run / LOG).read_text(encoding="utf-8").splitlines()
        event = json.loads(last)
        return dict(event) if event["event"] == "finished" else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def require_same_data(recipe: Recipe, run: Path) -> None:
    """Refuse a run whose data have changed since; without a checkpoint they cannot be compared.

    Args:
        recipe: the resolved recipe of the run.
        run: the run folder.

    Raises:
        TrainingError: it was trained on other people or images.
        DatasetError: the data are missing or malformed.
    """
    for folder in checkpoint_folders(run):
        values = read_values(folder)
        if values:
            samples, _ = open_data(recipe)
            require_data(folder, values, fingerprint(samples), contents_digest(samples))
            return
