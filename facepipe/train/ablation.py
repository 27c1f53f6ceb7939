"""Ablations: a recipe trained several times, each time with overrides of its own; one TOML file says which."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationError

from facepipe.score.pair_scores import SCORES
from facepipe.train.recipe.file import RecipeError, named_file, read_toml, shipped_names
from facepipe.train.recipe.resolve import resolve
from facepipe.train.recipe.schema import Recipe, Section

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]


class AblationRow(Section):
    """A row of the table."""

    title: str
    trained: bool = True  # false: the backbone itself, without the head that the other rows put on it
    set: tuple[str, ...] = ()  # what is laid over the recipe, as with 'facepipe train --set'
    score: Annotated[str, AfterValidator(SCORES.checked)] = "cosine"  # that pairs are judged by


class Ablation(Section):
    """A table: its rows by the names of their run folders, from top to bottom."""

    about: str
    recipe: str
    # Benchmark → name of insightface's .bin file. Further benchmarks may be asked for.
    columns: Annotated[dict[str, str], Field(default_factory=dict)]
    rows: Annotated[dict[Name, AblationRow], Field(min_length=1)]


@dataclass(frozen=True)
class Variant:
    """What a row comes to.

    Attributes:
        name: of the row.
        row: as the ablation has it.
        recipe: resolved.
        run: where it is trained.
    """

    name: str
    row: AblationRow
    recipe: Recipe
    run: Path

    @property
    def model(self) -> str:
        """What loads the model of the row, once it is trained."""
        return str(self.run) if self.row.trained else self.recipe.uncertainty.backbone


def shipped_ablations() -> list[str]:
    """Names of the ablations that come with facepipe, sorted."""
    return shipped_names("ablation")


def load_ablation(name: str) -> Ablation:
    """A shipped ablation by name, or a TOML file by path.

    Raises:
        RecipeError: no such ablation, not TOML, or an unknown or impossible field; names file and field.
    """
    path = named_file("ablation", name)
    try:
        return Ablation.model_validate(read_toml(path))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"] if part != "[key]")
        what = "unknown field" if first["type"] == "extra_forbidden" else first["msg"][:1].lower() + first["msg"][1:]
        raise RecipeError(f"{path}: {field}: {what}") from error


def variants(
    ablation: Ablation, recipe: str | None, out: Path, paths: Sequence[Path], overrides: Sequence[str]
) -> list[Variant]:
    """The rows with their recipes resolved; nothing is trained.

    Args:
        ablation: says which rows there are.
        recipe: instead of the ablation's.
        out: gets a run folder for each row.
        paths: of the training data.
        overrides: for all rows; those of a row are laid over them.

    Raises:
        RecipeError: an unknown recipe or field, a run that was begun with another recipe, or an untrained row and
            no backbone for it.
        ModelError: there is no such backbone.
    """
    made = []
    for name, row in ablation.rows.items():
        resolved, run = resolve(recipe or ablation.recipe, out / name, paths, [*overrides, *row.set], resume=True)
        if not row.trained and not resolved.uncertainty.head:
            raise RecipeError(f"row {name}: is not trained, and {recipe or ablation.recipe} has no backbone to take")
        made.append(Variant(name, row, resolved, run))
    return made
