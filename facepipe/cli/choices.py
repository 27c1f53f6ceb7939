"""Options whose values are the entries of a table, which is read when somebody asks: an option waits for no import."""

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any

import click

NameSource = Callable[[], Iterable[str]]


class TableChoice(click.ParamType):
    """One of the names that ``names`` gives when it is first called."""

    name = "choice"

    def __init__(self, names: NameSource) -> None:
        self._names = names

    @cached_property
    def choice(self) -> "click.Choice[str]":
        """Click's own choice, of the names."""
        return click.Choice(list(self._names()))

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The name itself, if there is one; a default is one, and need not be looked up."""
        if param is not None and value == param.default:
            return value
        return self.choice.convert(value, param, ctx)

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:  # noqa: ARG002
        """``[a|b]``."""
        return f"[{'|'.join(self.choice.choices)}]"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> Any:
        """The names that begin so."""
        return self.choice.shell_complete(ctx, param, incomplete)


class _TableOption(click.Option):
    """Its help ends with a line for each entry."""

    def __init__(self, *words: Any, lines: Callable[[], dict[str, str]], **settings: Any) -> None:
        super().__init__(*words, **settings)
        self._lines = lines

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        own = self.help or ""
        message = "; ".join(f"{name}: {line}" for name, line in self._lines().items())
        self.help = f"{own} {message}.".strip()
        try:
            return super().get_help_record(ctx)
        finally:
            self.help = own


def table_option(flag: str, *words: str, lines: Callable[[], dict[str, str]], **settings: Any) -> Callable[[Any], Any]:
    """An option that takes a name of a table; its help tells what each of them is.

    Args:
        flag, words, settings: as of `click.option`; ``help`` is what stands before the names.
        lines: name → what it is in a few words; called no sooner than the option is used or its help is shown.
    """
    kind = TableChoice(lambda: lines())
    return click.option(flag, *words, cls=_TableOption, type=kind, lines=lines, **settings)


def _scores() -> dict[str, str]:
    from facepipe.score.pair_scores import SCORES

    return {name: f"{entry.help}{_needs(entry.needs)}" for name, entry in SCORES.items()}


def _deciding_scores() -> dict[str, str]:
    from facepipe.score.pair_scores import deciding_scores

    kept = deciding_scores()
    return {name: line for name, line in _scores().items() if name in kept}


def _needs(field: str | None) -> str:
    return "" if field is None else f" (needs a model with a {field} head)"


def detectors() -> dict[str, str]:
    """The detectors, each with what it is."""
    from facepipe.detection.detectors import DETECTORS

    return {name: kind.help for name, kind in DETECTORS.items()}


def presets() -> dict[str, str]:
    """The presets of detectors, each with what it is."""
    from facepipe.detection.detectors import PRESETS

    return {name: preset.help for name, preset in PRESETS.items()}


def flips() -> dict[str, str]:
    """The flip rules, each with what it does."""
    from facepipe.flips import FLIPS

    return {name: rule.help for name, rule in FLIPS.items()}


def accuracy_rules() -> dict[str, str]:
    """The rules of accuracy over folds, each with what it does."""
    from facepipe.protocols.verification.accuracy_rules import ACCURACY_RULES

    return {name: rule.help for name, rule in ACCURACY_RULES.items()}


def _poolings() -> dict[str, str]:
    from facepipe.score.poolings import POOLINGS

    return {name: rule.help for name, rule in POOLINGS.items()}


def _template_poolings() -> dict[str, str]:
    lines = {"media": "mean of each photo or video, then their sum"} | _poolings()
    del lines["norm"]  # the switch --feature-norm
    return lines


_score: dict[str, Any] = {"default": "cosine", "show_default": True, "help": "Score by which two faces are compared."}
score = table_option("--score", lines=_scores, **_score)
deciding_score = table_option("--score", lines=_deciding_scores, **_score)
pooling = table_option(
    "--pool", lines=_poolings, default="mean", show_default=True,
    help="How the embeddings of a video's frames are combined.",
)  # fmt: skip
template_pooling = table_option(
    "--pool",
    lines=_template_poolings,
    default="media",
    show_default=True,
    help="How the embeddings of faces are combined into a template.",
)
