"""The output of a finished run: weights, card, thresholds, class centres."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from facepipe.datasets import Samples
from facepipe.embedding import Embedder
from facepipe.files import replacing, write_text
from facepipe.losses import angular_fisher_score
from facepipe.parameters import parameter
from facepipe.score import Logistic
from facepipe.tables import counted
from facepipe.train.data.crops import Crops
from facepipe.train.evaluation.calibrate import MeasuredThreshold, curve_of, pair_scores, subset, thresholds_at
from facepipe.train.heads.frozen import backbone_card, head_note
from facepipe.train.heads.reference import kept_probabilities, kept_thresholds, reference
from facepipe.train.loop.checkpoint import TrainingError
from facepipe.train.loop.trainer import Trainer
from facepipe.train.recipe.schema import Recipe
from facepipe.train.run.card import as_model, write_model
from facepipe.train.run.folder import CLASSES_FILE, IDENTITIES
from facepipe.train.run.prepare import Prepared
from facepipe.zoo import Card, CardSource, Probability, Threshold, Uncertainty


@dataclass(frozen=True)
class Validation:
    """Measurements of a model on held-out identities.

    Attributes:
        thresholds: at the recipe's false-accept rates.
        curves: score → its probability curve, if it could be fitted.
        uncertainty: card section of the head, if there is one, with its usual values.
        figures: for the summary.
        notes: on what could not be measured.
    """

    thresholds: list[MeasuredThreshold]
    curves: dict[str, Logistic | None]
    uncertainty: Uncertainty | None
    figures: dict[str, Any]
    notes: list[str]


def finish(recipe: Recipe, run: Path, ready: Prepared, figures: dict[str, float]) -> dict[str, Any]:
    """Write the model; collective, the first rank writes.

    Args:
        figures: of the last evaluation, for the summary.

    Returns:
        for the summary: figures, thresholds, the angular Fisher score of the held-out identities, notes.

    Raises:
        TrainingError: the disk is full or not writable; the checkpoints remain.
    """
    trainer, samples = ready.trainer, ready.samples
    centres = _class_weights(trainer)
    if not trainer.ranks.first:
        return {}
    measured = _validate(recipe, trainer, ready.held_out)
    thresholds, curves = _card_thresholds(recipe, measured), _card_curves(recipe, measured)
    try:
        write_model(run, trainer.best_net(), recipe, thresholds, _source(recipe, ready), measured.uncertainty, curves)
        if centres is not None:
            with replacing(run / CLASSES_FILE) as temporary:
                save_file({"weight": centres.contiguous().cpu()}, temporary)
        write_text(run / IDENTITIES, "".join(f"{name}\n" for name in samples.identities))
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or error
        raise TrainingError(
            f"{run}: the model could not be written ({reason}); "
            f"make room, then run again with {parameter('resume', True)}"
        ) from error
    thresholds_found = [vars(threshold) for threshold in measured.thresholds]
    return {"evaluation": figures, **measured.figures, "thresholds": thresholds_found, "notes": measured.notes}


def _card_thresholds(recipe: Recipe, measured: Validation) -> list[Threshold]:
    """The measured thresholds, except for scores whose thresholds are kept from the card of the backbone."""
    kept = kept_thresholds(recipe)
    new = [
        Threshold(far=one.far, value=one.value, score=one.score, calibrated_on=_measured_on(measured.figures))
        for one in measured.thresholds
        if not kept or one.score != "cosine"
    ]
    return kept + new


def _card_curves(recipe: Recipe, measured: Validation) -> list[Probability]:
    """As `_card_thresholds`, for probability curves."""
    kept = kept_probabilities(recipe)
    new = [
        Probability(score=score, fitted_on=_measured_on(measured.figures), **curve._asdict())
        for score, curve in measured.curves.items()
        if curve is not None and (not kept or score != "cosine")
    ]
    return kept + new


def _measured_on(figures: dict[str, Any]) -> str:
    return "{held_out_images} crops of {held_out} identities held out of training".format_map(figures)


def _source(recipe: Recipe, ready: Prepared) -> CardSource:
    """The card's section on the training data and, if any, the teacher and backbone, with their licences."""
    data, labels = recipe.data, ready.samples.labels
    named = int((labels >= 0).sum())
    people = counted(len(ready.samples.identities), "identity")
    about = f"{data.about or ', '.join(data.paths)}: {counted(named, 'image')} of {people}"
    if len(labels) > named:
        about += f", and {len(labels) - named} without identity"
    notes, licence = "trained by facepipe train; see recipe.toml", f"data: {data.licence}" if data.licence else ""
    if ready.targets is not None:
        teacher = ready.targets.card
        notes = f"distilled from {teacher.identity} ({teacher.title}); {notes}"
        licence = _with_licence(licence, "teacher", teacher)
    if recipe.uncertainty.head:
        base = backbone_card(recipe)
        notes = f"{head_note(base)}; {notes}"
        licence = _with_licence(licence, "backbone", base)
    return CardSource(training_data=about, licence=licence, notes=notes)


def _with_licence(licence: str, role: str, card: Card) -> str:
    added = f"{role} {card.name}: {card.source.licence or 'not stated'}"
    return f"{licence}; {added}" if licence else added


def _class_weights(trainer: Trainer) -> Tensor | None:
    rows, weights = trainer.loss.class_rows(), trainer.loss.class_weights
    if rows is None or weights is None or not trainer.holds_shard:
        return rows
    from facepipe.train.distributed.sharded_tensors import whole_rows

    return whole_rows(rows, weights.total, trainer.ranks)


def _validate(recipe: Recipe, trainer: Trainer, held_out: Samples | None) -> Validation:
    """Measure thresholds, Fisher score and, with a head, its usual values on the held-out identities."""
    model = as_model(trainer.best_net(), recipe, trainer.ranks.device)
    if held_out is None:
        missing = "no thresholds: no identities were held out; set data.held_out"
        return Validation([], {}, model.card.uncertainty, {}, [missing])
    chosen = subset(len(held_out), recipe.loop.seed)
    crops = Crops(held_out, recipe.model.input_size, recipe.data.fit, 0, recipe.loop.seed, max_corrupt=1.0)
    pixels, labels = crops.batch(chosen, chosen * 0)
    embeddings = Embedder(model, precision="float32")(pixels)
    scores = pair_scores(embeddings.mu, labels)
    thresholds, notes = thresholds_at(*scores, recipe.evaluate.fars)
    curve, more = curve_of(*scores)
    curves, notes = {"cosine": curve}, notes + more
    figures = {
        "held_out": len(held_out.identities),
        "held_out_images": len(chosen),
        "fisher": angular_fisher_score(embeddings.mu, labels),
    }
    if model.head is None:
        return Validation(thresholds, curves, None, figures, notes)
    of_head = reference(recipe, embeddings, labels, _measured_on(figures))
    curves |= [of_head.curve]
    return Validation(thresholds + of_head.thresholds, curves, of_head.uncertainty, figures, notes + of_head.notes)
