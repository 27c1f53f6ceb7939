"""Options whose values are the entries of a registry, read on demand so that options need no imports."""

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any

import click

NameSource = Callable[[], Iterable[str]]


class TableChoice(click.ParamType):
    """One of the names returned by ``names``, called on first use."""

    name = "choice"

    def __init__(self, names: NameSource) -> None:
        self._names = names

    @cached_property
    def choice(self) -> "click.Choice[str]":
        """Click's choice of the names."""
        return click.Choice(list(self._names()))

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The name, if it exists; the default need not be looked up."""
        if param is not None and value == param.default:
            return value
        return self.choice.convert(value, param, ctx)

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:  # noqa: ARG002
        """``[a|b]``."""
        return f"[{'|'.join(self.choice.choices)}]"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> Any:
        """The names that begin with ``incomplete``."""
        return self.choice.shell_complete(ctx, param, incomplete)


class _TableOption(click.Option):
    """An option whose help ends with a line per entry."""

    def __init__(self, *words: Any, lines: Callable[[], dict[str, str]], **settings: Any) -> None:
        super().__init__(*words, **settings)
        self._lines = lines

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        text = self.help or ""
        message = "; ".join(f"{name}: {line}" for name, line in self._lines().items())
        self.help = f"{text} {message}.".strip()
        try:
            return super().get_help_record(ctx)
        finally:
            self.help = text


def table_option(flag: str, *words: str, lines: Callable[[], dict[str, str]], **settings: Any) -> Callable[[Any], Any]:
    """An option that takes a name from a registry, with help on each.

    Args:
        flag, words, settings: as for `click.option`; ``help`` precedes the names.
        lines: name → short description; called only when the option is used or its help is shown.
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
    """The detectors with descriptions."""
    from facepipe.detection.detectors import DETECTORS

    return {name: kind.help for name, kind in DETECTORS.items()}


def presets() -> dict[str, str]:
    """The detector presets with descriptions."""
    from facepipe.detection.detectors import PRESETS

    return {name: preset.help for name, preset in PRESETS.items()}


def flips() -> dict[str, str]:
    """The flip rules with descriptions."""
    from facepipe.flips import FLIPS

    return {name: rule.help for name, rule in FLIPS.items()}


def accuracy_rules() -> dict[str, str]:
    """The accuracy rules with descriptions."""
    from facepipe.protocols.verification.accuracy_rules import ACCURACY_RULES

    return {name: rule.help for name, rule in ACCURACY_RULES.items()}


def _poolings() -> dict[str, str]:
    from facepipe.score.poolings import POOLINGS

    return {name: rule.help for name, rule in POOLINGS.items()}


def _template_poolings() -> dict[str, str]:
    lines = {"media": "mean of each photo or video, then their sum"} | _poolings()
    del lines["norm"]  # the switch --feature-norm
    return lines


_score: dict[str, Any] = {"default": "cosine", "show_default": True, "help": "Score for comparing two faces."}
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
