"""What a finished run leaves: weights, card, thresholds, class centres."""

from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from facepipe.datasets import Samples
from facepipe.embed import Embedder
from facepipe.files import replacing, write_text
from facepipe.losses import ClassificationLoss, angular_fisher_score
from facepipe.train.calibrate import Threshold, calibrate, subset
from facepipe.train.card import as_model, write_model
from facepipe.train.checkpoint import TrainingError
from facepipe.train.crops import Crops
from facepipe.train.loop import Trainer
from facepipe.train.prepare import Prepared
from facepipe.train.recipe import Recipe

IDENTITIES = "identities.txt"
CLASSES = "classes.safetensors"


def finish(recipe: Recipe, run: Path, ready: Prepared, figures: dict[str, float]) -> dict[str, Any]:
    """Write the model; every rank calls it, the first writes.

    Args:
        figures: of the last evaluation, for the summary.

    Returns:
        for the summary: figures, thresholds, the angular Fisher score of the held-out identities, notes.

    Raises:
        TrainingError: the disk is full or not writable; the checkpoints stay.
    """
    trainer, samples = ready.trainer, ready.samples
    centres = _class_weights(trainer)
    if not trainer.ranks.first:
        return {}
    thresholds, validation, notes = _validate(recipe, trainer, ready.held_out)
    counts = "{held_out_images} crops of {held_out} identities held out of training".format_map(
        {"held_out_images": 0, "held_out": 0} | validation
    )
    about = f"{', '.join(recipe.data.paths)}: {len(samples)} images of {len(samples.identities)} identities"
    try:
        write_model(run, trainer.best_net(), recipe, thresholds, counts, about)
        if centres is not None:
            with replacing(run / CLASSES) as temporary:
                save_file({"weight": centres.contiguous().cpu()}, temporary)
        write_text(run / IDENTITIES, "".join(f"{name}\n" for name in samples.identities))
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or error
        raise TrainingError(
            f"{run}: the model could not be written ({reason}); make room, then run again with --resume"
        ) from error
    cosines = [vars(threshold) for threshold in thresholds]
    return {"evaluation": figures, **validation, "thresholds": cosines, "notes": notes}


def _class_weights(trainer: Trainer) -> Tensor | None:
    if not isinstance(trainer.loss, ClassificationLoss):
        return None
    classes = trainer.loss.classes
    weight = classes.weight.detach()
    if not trainer.spread:
        return weight
    from facepipe.train.sharded_tensors import whole_rows

    return whole_rows(weight, classes.total, trainer.ranks)


def _validate(
    recipe: Recipe, trainer: Trainer, held_out: Samples | None
) -> tuple[list[Threshold], dict[str, Any], list[str]]:
    """Thresholds, and how well identities that nobody trained on keep apart."""
    if held_out is None:
        return [], {}, ["no thresholds: no identities were held out; set data.held_out"]
    chosen = subset(len(held_out), recipe.loop.seed)
    crops = Crops(held_out, recipe.model.input_size, recipe.data.fit, 0, recipe.loop.seed, max_corrupt=1.0)
    pixels, labels = crops.batch(chosen, chosen * 0)
    embedder = Embedder(as_model(trainer.best_net(), recipe, trainer.ranks.device), precision="float32")
    mu = embedder(pixels).mu
    thresholds, notes = calibrate(mu, labels, recipe.evaluate.fars)
    validation = {
        "held_out": len(held_out.identities),
        "held_out_images": len(chosen),
        "fisher": angular_fisher_score(mu, labels),
    }
    return thresholds, validation, notes
