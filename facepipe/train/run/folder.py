"""Checks that a folder can be used for a run: existing files are never overwritten."""

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
    """Refuse, before any work, a data folder, or a folder that holds files with the names a run writes.

    A run that was started there and has neither checkpoint nor model may be started again.

    Raises:
        OutputError: the folder is a data folder, or a file.
        TrainingError: it holds a run, or such a file that does not belong to a started run.
    """
    require_apart([], [Path(path) for path in (*recipe.data.paths, *recipe.data.unlabelled)], folders=(run,))
    if resume:
        return
    if kept := checkpoint_folders(run):
        raise TrainingError(
            f"{run}: already holds a run ({kept[0].name}); resume it with {parameter('resume', True)}, or choose "
            f"another {parameter('run', option='out')}"
        )
    existing = [name for name in (RECIPE, LOG, WEIGHTS, CARD, CLASSES_FILE, IDENTITIES) if (run / name).exists()]
    if existing and (CARD in existing or not (_was_started(run / LOG) or _is_same(recipe, run / RECIPE))):
        raise TrainingError(
            f"{run / existing[0]}: exists already; choose another folder with {parameter('run', option='out')}"
        )


def _was_started(log: Path) -> bool:
    try:
        with log.open(encoding="utf-8") as lines:
            first = json.loads(lines.readline())
        return bool(first["event"] == "start")
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _is_same(recipe: Recipe, saved: Path) -> bool:
    """Whether the saved recipe is the same: that of a run that ended before its first step."""
    try:
        return not differences(load_recipe(str(saved)), recipe)
    except RecipeError:
        return False
