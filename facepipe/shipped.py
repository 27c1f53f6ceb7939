"""Locations of the files that ship with facepipe (model cards, recipes, dataset cards)."""

from pathlib import Path


def shipped(*parts: str) -> Path:
    """Path of a shipped file or folder, such as ``shipped("models", "cards")``.

    In a wheel they are inside the package; in a checkout, next to it.
    """
    package = Path(__file__).resolve().parent
    inside = package / "_shipped"
    root = inside if inside.is_dir() else package.parent
    return root.joinpath(*parts)
