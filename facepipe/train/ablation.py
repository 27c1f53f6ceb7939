"""Ablations: one recipe trained several times with different overrides, as listed in a TOML file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationError

from facepipe.score.pair_scores import SCORES
from facepipe.train.recipe.file import RecipeError, named_file, read_toml, shipped_names
from facepipe.train.recipe.resolve import resolve
from facepipe.train.recipe.schema import Recipe
from facepipe.train.recipe.section import Section

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]


class AblationRow(Section):
    """A row of the table."""

    title: str
    trained: bool = True  # false: the bare backbone, without the head that the other rows train on it
    set: tuple[str, ...] = ()  # overrides of the recipe, as with 'facepipe train --set'
    score: Annotated[str, AfterValidator(SCORES.checked)] = "cosine"  # score of the pairs


class Ablation(Section):
    """A table: its rows from top to bottom, keyed by the name of their run folder."""

    about: str
    recipe: str
    # Benchmark → name of insightface's .bin file. More benchmarks can be requested.
    columns: Annotated[dict[str, str], Field(default_factory=dict)]
    rows: Annotated[dict[Name, AblationRow], Field(min_length=1)]


@dataclass(frozen=True)
class Variant:
    """One row of an ablation, ready to train.

    Attributes:
        name: name of the row.
        row: the row as written in the ablation.
        recipe: its resolved recipe.
        run: its run folder.
    """

    name: str
    row: AblationRow
    recipe: Recipe
    run: Path

    @property
    def model(self) -> str:
        """Name or path that loads the model of the row once it is trained."""
        return str(self.run) if self.row.trained else self.recipe.uncertainty.backbone


def shipped_ablations() -> list[str]:
    """Names of the ablations shipped with facepipe, sorted."""
    return shipped_names("ablation")


def load_ablation(name: str) -> Ablation:
    """Load a shipped ablation by name, or a TOML file by path.

    Raises:
        RecipeError: no such ablation, not TOML, or an unknown or invalid field; names file and field.
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
    """Resolve the recipe of each row; nothing is trained.

    Args:
        ablation: the rows.
        recipe: used instead of the ablation's recipe.
        out: parent of the run folders, one per row.
        paths: training data.
        overrides: for all rows; the overrides of a row take precedence.

    Raises:
        RecipeError: unknown recipe or field, a run started with another recipe, or an untrained row without a
            backbone.
        ModelError: the backbone does not exist.
    """
    resolved_rows = []
    for name, row in ablation.rows.items():
        resolved, run = resolve(recipe or ablation.recipe, out / name, paths, [*overrides, *row.set], resume=True)
        if not row.trained and not resolved.uncertainty.head:
            raise RecipeError(f"row {name}: is not trained, and {recipe or ablation.recipe} names no backbone to use")
        resolved_rows.append(Variant(name, row, resolved, run))
    return resolved_rows
