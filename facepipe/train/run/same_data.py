"""Whether a finished run was trained on the data that are there now."""

from pathlib import Path

from facepipe.datasets import fingerprint
from facepipe.datasets.samples.samples import contents_digest
from facepipe.train.loop.checkpoint import checkpoint_folders, read_values, require_data
from facepipe.train.recipe.schema import Recipe
from facepipe.train.run.prepare import open_data


def require_same_data(recipe: Recipe, run: Path) -> None:
    """Refuse a run whose data have changed since; one without a checkpoint cannot be compared.

    Args:
        recipe: of the run, resolved.
        run: its folder.

    Raises:
        TrainingError: it was trained on other people, or other images.
        DatasetError: the data are missing or malformed.
    """
    for folder in checkpoint_folders(run):
        values = read_values(folder)
        if values:
            samples, _ = open_data(recipe)
            require_data(folder, values, fingerprint(samples), contents_digest(samples))
            return
