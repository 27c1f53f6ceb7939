"""Which checkpoint of a run that diverged is from before."""

from pathlib import Path

from facepipe.train.loop.checkpoint import checkpoint_folders, read_values


def last_good(run: Path) -> str:
    """A remark in brackets that names the last checkpoint whose loss was sound, or says that there is none; or empty.

    A loss counts as sound while it is at most twice that of the first step (where that is small, one more than it):
    a network that does worse than an untrained one was diverging already, though its weights are numbers still.
    """
    kept = [(folder.name, *_losses(folder)) for folder in checkpoint_folders(run)]
    if not kept:
        return ""
    good = next((number for number, (_, loss, first) in enumerate(kept) if loss <= first + max(1.0, abs(first))), None)
    if good is None:
        name, loss, first = kept[-1]
        return f" (no checkpoint is from before: {name} has a loss of {loss:.3g}, the first step had {first:.3g})"
    name, loss, _ = kept[good]
    if good == 0:
        return f" ({name} is from before, with a loss of {loss:.3g})"
    bad = ", ".join(f"{name} with {loss:.3g}" for name, loss, _ in kept[:good])
    return f" ({name} is the last good one, with a loss of {loss:.3g}; remove {bad})"


def _losses(folder: Path) -> tuple[float, float]:
    """Mean loss of the steps before a checkpoint, and loss of the run's first step; 0 and 0 in older ones."""
    values = read_values(folder)
    return float(values.get("loss", 0)), float(values.get("first_loss", 0))
