"""Where the files that travel with facepipe (model cards, recipes, dataset cards) lie."""

from pathlib import Path


def shipped(*parts: str) -> Path:
    """Path of a shipped file or folder, such as ``shipped("models", "cards")``.

    In a wheel they lie inside the package; in a checkout, beside it.
    """
    package = Path(__file__).resolve().parent
    inside = package / "_shipped"
    root = inside if inside.is_dir() else package.parent
    return root.joinpath(*parts)
