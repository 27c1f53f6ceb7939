"""Resolve a recipe and a run folder from user input."""

from collections.abc import Sequence
from pathlib import Path

from facepipe.files.stored import is_stored
from facepipe.parameters import parameter
from facepipe.train.heads.centres import centres_file
from facepipe.train.heads.frozen import complete_model
from facepipe.train.recipe.file import RecipeError, differences, load_recipe
from facepipe.train.recipe.schema import Recipe
from facepipe.train.run.folder import RECIPE


def resolve(
    recipe: str | None, run: Path | None, paths: Sequence[Path], overrides: Sequence[str], resume: bool
) -> tuple[Recipe, Path]:
    """The resolved recipe and the run folder.

    A new run needs a recipe; ``run`` defaults to ``runs/NAME``. With ``resume``, the recipe saved in the folder is
    used, with ``overrides`` applied; a recipe given as well must match it.

    Raises:
        RecipeError: no recipe, an unknown one or an unknown field; a recipe other than the saved one; or the file of
            class centres is missing.
    """
    if recipe is None and not resume:
        raise RecipeError(
            "no recipe: name one ('facepipe train --list' shows them), or a run to resume: "
            f"{parameter('resume', True)} and {parameter('run', option='out')}"
        )
    if recipe is None and run is None:
        raise RecipeError(
            f"{parameter('resume', True)}: name the folder of the run with "
            f"{parameter('run', option='out')}"
        )
    folder = run if run is not None else Path("runs") / Path(str(recipe)).stem
    saved = folder / RECIPE
    if not (resume and saved.is_file()):
        if recipe is None:
            raise RecipeError(f"{folder}: no run to resume; name a recipe to start one")
        new = _with_paths(load_recipe(recipe, overrides), paths)
        if new.uncertainty.head and new.uncertainty.centres == "checkpoint":
            centres_file(new)  # fails before any crop is read
        return new, folder
    before = load_recipe(str(saved))
    resumed = _with_paths(load_recipe(str(saved), overrides), paths)
    if recipe is not None:
        requested = _with_paths(load_recipe(recipe, overrides), paths)
        may_differ = ("data.paths", "data.unlabelled", "about", "history")
        differing = [name for name in differences(requested, before) if name not in may_differ]
        if differing:
            raise RecipeError(
                f"{folder}: started with another recipe ({', '.join(differing[:5])} differ); resume without naming "
                f"one, or choose another {parameter('run', option='out')}"
            )
    return resumed, folder


def _with_paths(recipe: Recipe, paths: Sequence[Path]) -> Recipe:
    """Make paths absolute, so that the run can be resumed from another folder, and complete the model of a head."""
    recipe = complete_model(recipe)
    data = recipe.data
    absolute = {
        "paths": _absolute([str(path) for path in paths] or data.paths),
        "unlabelled": _absolute(data.unlabelled),
    }
    return recipe.model_copy(update={"data": data.model_copy(update=absolute)})


def _absolute(paths: Sequence[str]) -> list[str]:
    return [path if is_stored(path) else str(Path(path).expanduser().absolute()) for path in paths]
