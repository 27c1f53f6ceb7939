"""Whether a folder may become that of a run: what lies there already is not replaced."""

import json
from pathlib import Path

from facepipe.files import require_apart
from facepipe.parameters import parameter
from facepipe.train.loop.checkpoint import TrainingError, checkpoint_folders
from facepipe.train.loop.log import LOG
from facepipe.train.recipe.file import RecipeError, differences, load_recipe
from facepipe.train.recipe.schema import Recipe
from facepipe.train.run.card import CARD, WEIGHTS

RECIPE = "recipe.toml"
IDENTITIES = "identities.txt"
CLASSES_FILE = "classes.safetensors"


def require_folder(recipe: Recipe, run: Path, resume: bool) -> None:
    """Refuse, before any work, a folder of data, and one with files of the names that a run writes.

    A run that was begun there and has no model yet may be begun again.

    Raises:
        OutputError: the folder is one of the data, or a file.
        TrainingError: a run is there, or a file of such a name is there, and is of no run that was begun.
    """
    require_apart([], [Path(path) for path in (*recipe.data.paths, *recipe.data.unlabelled)], folders=(run,))
    if resume:
        return
    if kept := checkpoint_folders(run):
        raise TrainingError(
            f"{run}: holds a run already ({kept[0].name}); go on with {parameter('resume', True)}, or choose another "
            f"{parameter('run', option='out')}"
        )
    there = [name for name in (RECIPE, LOG, WEIGHTS, CARD, CLASSES_FILE, IDENTITIES) if (run / name).exists()]
    if there and (CARD in there or not (_was_begun(run / LOG) or _is_same(recipe, run / RECIPE))):
        raise TrainingError(
            f"{run / there[0]}: is there already; "
            f"choose another folder with {parameter('run', option='out')}"
        )


def _was_begun(log: Path) -> bool:
    try:
        with log.open(encoding="utf-8") as lines:
            first = json.loads(lines.readline())
        return bool(first["event"] == "start")
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _is_same(recipe: Recipe, saved: Path) -> bool:
    """Whether it is this very recipe: of a run that was ended before its first step."""
    try:
        return not differences(load_recipe(str(saved)), recipe)
    except RecipeError:
        return False
