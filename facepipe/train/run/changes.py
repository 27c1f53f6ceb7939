"""Changes of the recipe on resume: reported, checked and recorded."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facepipe.parameters import parameter
from facepipe.train.loop.checkpoint import TrainingError
from facepipe.train.loop.schedule import rate
from facepipe.train.recipe.file import differences, load_recipe
from facepipe.train.recipe.schema import Recipe

_IGNORED = frozenset({"about", "history", "data.paths", "data.unlabelled", "data.about", "data.licence"})
_SUBSTANCE = (
    "model.", "loss.", "uncertainty.", "teacher.", "freeze.", "strangers.", "distributed.sample_rate", "loop.batch",
    "loop.seed",
)  # fmt: skip
_HARMLESS = ("teacher.cache", "freeze.cache", "teacher.interpolate")  # locations, and what is done after the last step
_DATA_LOADING = frozenset({"data.memory_gb", "data.workers", "data.prefetch_batches", "data.max_corrupt"})


@dataclass(frozen=True)
class Changed:
    """The differences between a recipe and the saved one of a run.

    Attributes:
        before, now: the saved and the new recipe.
        lines: the differences, such as ``loss.m: 4 → 2``.
        history: changes of earlier resumes.
    """

    before: Recipe | None
    now: Recipe
    lines: tuple[str, ...] = ()
    history: tuple[str, ...] = ()

    def rate_line(self, step: int, steps_per_epoch: float) -> Sequence[str]:
        """The change of the learning rate of the next step, if any."""
        if self.before is None or not self.lines:
            return ()
        old, new = (
            recipe.optimiser.lr * rate(recipe.schedule, step, steps_per_epoch) for recipe in (self.before, self.now)
        )
        return () if old == new else (f"learning rate of the next step: {old:.3g} → {new:.3g}",)


def changes_of(recipe: Recipe, saved: Path, allow: bool) -> Changed:
    """Compare a recipe with the one saved in the run folder.

    Raises:
        TrainingError: loss, network, batch or data would change without ``allow``.
    """
    if not saved.is_file():
        return Changed(None, recipe)
    before = load_recipe(str(saved))
    names = [name for name in differences(recipe, before) if name not in _IGNORED]
    now, then = recipe.model_dump(), before.model_dump()
    lines = tuple(f"{name}: {_value(then, name)} → {_value(now, name)}" for name in names)
    refused = [line for line, name in zip(lines, names, strict=True) if _is_substance(name)]
    if refused and not allow:
        raise TrainingError(
            f"{saved.parent}: the run would change {'; '.join(refused)}; resume without the change, allow it with "
            f"{parameter('allow')}, or start again in another folder"
        )
    return Changed(before, recipe, lines, tuple(before.history))


def _is_substance(name: str) -> bool:
    if name in _HARMLESS:
        return False
    return name.startswith(_SUBSTANCE) or (name.startswith("data.") and name not in _DATA_LOADING)


def _value(fields: dict[str, Any], name: str) -> Any:
    for part in name.split("."):
        fields = fields.get(part) if isinstance(fields, dict) else None  # type: ignore[assignment]
    return fields
