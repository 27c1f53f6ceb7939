"""Names of models, recipes and ablations on the command line, with shell completion."""

from typing import Any

import click
from click.shell_completion import CompletionItem


class NameType(click.ParamType):
    """A name or a path. Completion only lists file names, without heavy imports.

    Args:
        *kinds: folders of shipped files below ``models``; ``cards`` includes the user's.
    """

    name = "text"

    def __init__(self, *kinds: str) -> None:
        self.kinds = kinds

    def names(self) -> list[str]:
        """All known names, sorted."""
        from facepipe.shipped import shipped
        from facepipe.weights import cache_folder

        folders = [shipped("models", kind) for kind in self.kinds]
        if "cards" in self.kinds:
            folders.append(cache_folder() / "cards")
        return sorted({path.stem for folder in folders for path in folder.glob("*.toml")})

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ARG002
        """Unchanged: the command resolves it."""
        return value

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str  # noqa: ARG002
    ) -> list[CompletionItem]:
        """Names that begin with ``incomplete``, or files if there are none."""
        found = [CompletionItem(name) for name in self.names() if name.startswith(incomplete)]
        return found or [CompletionItem(incomplete, type="file")]


MODEL = NameType("cards")
WEIGHTS = NameType("cards", "detectors")
RECIPE = NameType("recipes")
ABLATION = NameType("ablations")
