"""Whether a run has nothing left to do."""

import json
from pathlib import Path
from typing import Any

from facepipe.files.stored import is_stored
from facepipe.train.heads.frozen import backbone_card, head_note
from facepipe.train.loop.checkpoint import TrainingError
from facepipe.train.loop.log import LOG
from facepipe.train.recipe.file import load_recipe
from facepipe.train.recipe.schema import Recipe
from facepipe.train.run.card import CARD
from facepipe.train.run.folder import RECIPE
from facepipe.zoo.card_file import read_card


def is_finished(recipe: Recipe, run: Path) -> bool:
    """Whether ``run`` holds the model of this recipe.

    Data under another path do not count as the same: `facepipe.train.train` finds out with ``resume``.

    Args:
        recipe: from `facepipe.train.recipe.resolve` with ``resume``, which has compared it with that of the run.
        run: the folder, which need not exist.

    Raises:
        TrainingError: its head is on another backbone than the recipe's, or on one that has changed since.
    """
    if not (run / CARD).is_file() or not finished_event(run):
        return False
    if load_recipe(str(run / RECIPE)).data.paths != recipe.data.paths:
        return False
    if recipe.uncertainty.head:
        backbone = backbone_card(recipe)
        if head_note(backbone) not in read_card(run / CARD).source.notes:
            raise TrainingError(
                f"{run}: its head is on another backbone than {backbone.identity}, or on an earlier state of it; "
                "choose another folder"
            )
    return True


def are_there(recipe: Recipe) -> bool:
    """Whether all of a recipe's data are where it says; those of a store are taken to be."""
    return all(is_stored(path) or Path(path).exists() for path in (*recipe.data.paths, *recipe.data.unlabelled))


def finished_event(run: Path) -> dict[str, Any]:
    """What the log of a run says of its end: the summary of `facepipe.train.train`; empty while it has none.

    It is the last whole line; a killed run may have left half of one.
    """
    try:
        *_, last = (run / LOG).read_text(encoding="utf-8").splitlines()
        event = json.loads(last)
        return dict(event) if event["event"] == "finished" else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
