"""What a resumed run does otherwise than before: said, checked, and kept."""

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
_NO_MATTER = ("teacher.cache", "freeze.cache", "teacher.keep")  # where things lie, and what is done after the last step
_HOW_DATA_ARE_READ = frozenset({"data.memory_gb", "data.workers", "data.ahead", "data.max_corrupt"})


@dataclass(frozen=True)
class Changed:
    """A recipe against the one that a run was made with so far.

    Attributes:
        before, now: both.
        lines: such as ``loss.m: 4 → 2``.
        history: what earlier resumes changed.
    """

    before: Recipe | None
    now: Recipe
    lines: tuple[str, ...] = ()
    history: tuple[str, ...] = ()

    def rate_line(self, step: int, steps_per_epoch: float) -> Sequence[str]:
        """What the change does to the learning rate of the next step, if anything."""
        if self.before is None or not self.lines:
            return ()
        old, new = (
            recipe.optimiser.lr * rate(recipe.schedule, step, steps_per_epoch) for recipe in (self.before, self.now)
        )
        return () if old == new else (f"learning rate of the next step: {old:.3g} → {new:.3g}",)


def changes_of(recipe: Recipe, saved: Path, allow: bool) -> Changed:
    """Compare a recipe with the one that is saved in the run's folder.

    Raises:
        TrainingError: loss, network, batch or data would change, and ``allow`` does not let them.
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
            f"{saved.parent}: what was trained so far had {'; '.join(refused)}; resume without the change, change it "
            f"all the same with {parameter('allow')}, or begin anew in another folder"
        )
    return Changed(before, recipe, lines, tuple(before.history))


def _is_substance(name: str) -> bool:
    if name in _NO_MATTER:
        return False
    return name.startswith(_SUBSTANCE) or (name.startswith("data.") and name not in _HOW_DATA_ARE_READ)


def _value(fields: dict[str, Any], name: str) -> Any:
    for part in name.split("."):
        fields = fields.get(part) if isinstance(fields, dict) else None  # type: ignore[assignment]
    return fields
