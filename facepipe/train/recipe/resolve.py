"""From what a person asked for to the recipe and the folder of a run."""

from collections.abc import Sequence
from pathlib import Path

from facepipe.files.stored import is_stored
from facepipe.parameters import parameter
from facepipe.train.heads.centres import centres_file
from facepipe.train.heads.frozen import fill_model
from facepipe.train.recipe.file import RecipeError, differences, load_recipe
from facepipe.train.recipe.schema import Recipe
from facepipe.train.run.folder import RECIPE


def resolve(
    recipe: str | None, run: Path | None, paths: Sequence[Path], overrides: Sequence[str], resume: bool
) -> tuple[Recipe, Path]:
    """The resolved recipe and the run's folder.

    Begun runs need a recipe; ``run`` is ``runs/NAME`` by default. With ``resume`` the recipe saved in the
    folder counts, with ``overrides`` laid over it; a recipe that is named as well must be the same one.

    Raises:
        RecipeError: no recipe, an unknown one or an unknown field; another recipe than before; or no file of the
            class centres that it names.
    """
    if recipe is None and not resume:
        raise RecipeError(
            "no recipe: name one ('facepipe train --list' shows them), or a run to go on with: "
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
            raise RecipeError(f"{folder}: no run to resume there; name a recipe to begin one")
        begun = _with_paths(load_recipe(recipe, overrides), paths)
        if begun.uncertainty.head and begun.uncertainty.centres == "checkpoint":
            centres_file(begun)  # a missing one is told before the crops are read
        return begun, folder
    before = load_recipe(str(saved))
    now = _with_paths(load_recipe(str(saved), overrides), paths)
    if recipe is not None:
        asked = _with_paths(load_recipe(recipe, overrides), paths)
        free = ("data.paths", "data.unlabelled", "about", "history")
        other = [name for name in differences(asked, before) if name not in free]
        if other:
            raise RecipeError(
                f"{folder}: begun with another recipe ({', '.join(other[:5])} differ); resume without naming "
                f"one, or choose another {parameter('run', option='out')}"
            )
    return now, folder


def _with_paths(recipe: Recipe, paths: Sequence[Path]) -> Recipe:
    """The recipe with absolute paths, so that it can be resumed from another folder, and the model of a head."""
    recipe = fill_model(recipe)
    data = recipe.data
    absolute = {
        "paths": _absolute([str(path) for path in paths] or data.paths),
        "unlabelled": _absolute(data.unlabelled),
    }
    return recipe.model_copy(update={"data": data.model_copy(update=absolute)})


def _absolute(paths: Sequence[str]) -> list[str]:
    return [path if is_stored(path) else str(Path(path).expanduser().absolute()) for path in paths]
