"""Measure a model's thresholds and probabilities on held-out people, and store them in its card."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facepipe.cli import options
from facepipe.cli.door import Output, door
from facepipe.cli.made import is_card
from facepipe.cli.named import MODEL
from facepipe.cli.screen import note, print_json, progress, say
from facepipe.cli.table import show_table
from facepipe.errors import DatasetError, ModelError
from facepipe.tables import Column, figures

if TYPE_CHECKING:
    from facepipe.calibration import Calibration
    from facepipe.calibration.faces import KnownFaces
    from facepipe.detection import DetectorSettings
    from facepipe.embedding import Embedder
    from facepipe.zoo import Card

_LISTS = (".csv", ".txt", ".tsv")


@dataclass(frozen=True)
class _Faces:
    """Where faces come from and how they are read."""

    paths: tuple[Path, ...]
    images: Path | None
    form: str
    aligned: bool
    detector: Any
    held_out: Any
    one_person: Path | None
    identity_depth: int


@click.command("calibrate")
@click.argument("model", type=MODEL)
@click.argument("paths", metavar="PAIRS|CROPS...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out",
    "-o",
    type=options.output_path,
    help="Card to write [default: the model's own, unless it ships with facepipe].",
)
@click.option("--about", default="", help="Description of the faces, for the card [default: the names of PAIRS|CROPS].")
@click.option(
    "--far",
    "fars",
    multiple=True,
    type=options.RATE,
    help="False-accept rate of a threshold; may be repeated [default: 1e-2 1e-3 1e-4 1e-5].",
)
@click.option(
    "--images",
    type=click.Path(path_type=Path),
    help="Folder of the photos of a list of pairs [default: the list's folder].",
)
@options.pairs_format("Format of a list of pairs, as for 'facepipe eval pairs'.")
@click.option("--held-out", type=click.IntRange(min=0), default=0, help="People held out of training by data.held_out.")
@click.option(
    "--held-out-images",
    "held_out_images",
    multiple=True,
    metavar="SOURCE=N",
    help="Images of a source without identities that were held out of training; may be repeated.",
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Random seed of the recipe."
)
@click.option(
    "--one-person", type=click.Path(path_type=Path), help="CSV with columns a,b: images that show the same person."
)
@options.identity_depth
@options.flip
@options.figure_precision
@options.device
@options.already_aligned
@options.detection
@options.as_json
@door(Output("out", (".toml",), is_replaceable=is_card), reads=("paths", "images", "one_person"), walks=("paths",))
def command(
    model: str,
    paths: tuple[Path, ...],
    out: Path | None,
    about: str,
    fars: tuple[float, ...],
    images: Path | None,
    form: str,
    held_out: int,
    held_out_images: tuple[str, ...],
    seed: int,
    one_person: Path | None,
    identity_depth: int,
    flip: str | None,
    precision: str,
    device: str,
    already_aligned: bool,
    detection: "DetectorSettings",
    as_json: bool,
) -> None:
    """Measure a model's thresholds, probabilities and typical confidences, and write them to its card.

    PAIRS is a list of pairs (.csv with a,b,same; LFW's .txt) in the folder of its photos; CROPS are tar shards with
    JSON, a folder with one folder of photos per person (crops with --already-aligned), or a file of 'facepipe embed'
    over such folders. Use people the model was not trained on; for training data, --held-out and --held-out-images
    select the part that the recipe held out.

    Thresholds are given for random impostors and, if the crops' JSON has age and sex (and optionally origin and
    source), for similar impostors: adults of one sex and origin, with the worst group deciding.
    """
    from facepipe.calibration import CALIBRATED_FARS, calibrated_card
    from facepipe.calibration.sources import HeldOut
    from facepipe.detection import create_detector
    from facepipe.files import require_writable
    from facepipe.zoo import save_card

    card, file = _card_of(model)
    target = out or file
    if target is None:
        raise ModelError(f"{card.name} ships with facepipe, and its card is read-only; give a card to write with -o")
    require_writable(target)
    named = form != "auto" or paths[0].suffix.lower() in _LISTS
    listed = len(paths) == 1 and named and paths[0].is_file()
    if images is not None and not listed:
        raise DatasetError(f"{images}: --images applies only to a list of pairs; leave it out")
    if one_person is not None and (listed or not _are_crops(paths[0], already_aligned)):
        raise DatasetError(f"{one_person}: --one-person applies only to crops; leave it out, or add --already-aligned")
    embedder = options.make_embedder(model, flip, precision, device)
    detector = None if already_aligned else create_detector(detection, device)
    kept = HeldOut(held_out, _counts(held_out_images), seed) if held_out or held_out_images else None
    inputs = _Faces(paths, images, form, already_aligned, detector, kept, one_person, identity_depth)
    message = about or ", ".join(path.name for path in paths)
    rates = fars or CALIBRATED_FARS
    measured = _pairs(inputs, embedder, message, rates) if listed else _faces(inputs, embedder, message, rates, seed)
    save_card(calibrated_card(card, measured), target)
    if as_json:
        settings = {"engine": embedder.engine, "precision": embedder.precision}
        print_json({"card": str(target), "model": card.identity, **settings, **measured.to_dict()})
    else:
        _show(card, measured)
    for line in measured.notes:
        note(line, style="yellow")
    note(f"card: {target}")


def _card_of(model: str) -> "tuple[Card, Path | None]":
    """The card, and its file if it is not a shipped one."""
    from facepipe.zoo import locate
    from facepipe.zoo.catalogue import card_file

    card, _ = locate(model)
    return card, card_file(model)


def _counts(words: tuple[str, ...]) -> dict[str, int]:
    counts = {}
    for word in words:
        source, _, number = word.partition("=")
        if not source or not number.isdecimal():
            raise click.UsageError(f"--held-out-images {word}: must be SOURCE=N, such as utk=1500")
        counts[source] = int(number)
    return counts


def _pairs(inputs: _Faces, embedder: "Embedder", about: str, fars: Any) -> "Calibration":
    from facepipe.alignment import Aligner
    from facepipe.calibration import calibrate_pairs
    from facepipe.calibration.sources import require_made_by
    from facepipe.datasets.pairs.any_pairs import read_pairs
    from facepipe.datasets.samples.find_image import require_images
    from facepipe.embedding import join, load_embeddings
    from facepipe.pipeline import Cropper, embed_images

    path = inputs.paths[0]
    pairs = read_pairs(path, inputs.form)
    folder = inputs.images or path.parent
    if folder.is_file():
        embeddings = load_embeddings(folder)
        require_made_by(embeddings, embedder.model.card, folder)
        return calibrate_pairs(embeddings, pairs, about, fars)
    files = require_images(folder, pairs.names, "--images must contain the listed images")
    cropper = Cropper(Aligner(embedder.model.card.input.template), inputs.detector, "centre", "centre")
    with progress("embedding", len(files)) as advance:
        embeddings = join(list(embed_images(files, cropper, embedder, progress=advance)))
    return calibrate_pairs(embeddings, pairs, about, fars)


def _faces(inputs: _Faces, embedder: "Embedder", about: str, fars: Any, seed: int) -> "Calibration":
    from facepipe.alignment import Aligner
    from facepipe.calibration.sources import (
        faces_of_crops,
        faces_of_embeddings,
        faces_of_photos,
        is_embeddings,
        is_photos,
        open_crops,
        read_one_person,
    )
    from facepipe.pipeline import Cropper

    first, *more = inputs.paths
    if is_embeddings(first):
        if more:
            raise DatasetError(f"{more[0]}: give one file of embeddings, or crops")
        faces, notes = faces_of_embeddings(first, embedder.model.card, inputs.identity_depth)
        return _calibrated(faces, notes, about, fars, seed)
    if is_photos(first) and not inputs.aligned:
        if more:
            raise DatasetError(f"{more[0]}: give one folder of photos; crops need --already-aligned")
        cropper = Cropper(Aligner(embedder.model.card.input.template), inputs.detector)
        with progress("embedding") as advance:
            faces, notes = faces_of_photos(first, embedder, cropper, advance, inputs.identity_depth)
    else:
        samples = open_crops(inputs.paths, inputs.held_out, inputs.identity_depth)
        same = read_one_person(inputs.one_person) if inputs.one_person else []
        with progress("embedding", len(samples)) as advance:
            faces, notes = faces_of_crops(samples, embedder, advance, same)
    return _calibrated(faces, notes, about, fars, seed)


def _are_crops(path: Path, aligned: bool) -> bool:
    from facepipe.calibration.sources import is_embeddings, is_photos

    return not is_embeddings(path) and (aligned or not is_photos(path))


def _calibrated(faces: "KnownFaces", notes: list[str], about: str, fars: Any, seed: int) -> "Calibration":
    """Calibrate, with notes on faces left out."""
    from facepipe.calibration import calibrate_faces

    measured = calibrate_faces(faces, about, fars, seed)
    return replace(measured, notes=(*notes, *measured.notes))


def _show(card: "Card", measured: "Calibration") -> None:
    say(f"{card.name}, flip {measured.flip}: {measured.measured_on}")
    rows = []
    for one in measured.thresholds:
        tar = "" if one.tar is None else f"{100 * one.tar:.2f} %"
        rows.append((one.score, one.population, f"{one.far:g}", f"{one.value:.4f}", tar))
    show_table((Column("score"), Column("impostors"), *figures("FAR", "threshold", "TAR")), rows)
    alike = [one for one in measured.thresholds if one.population == "alike"]
    for one in alike:
        line = f"  alike, {one.score}, FAR {one.far:g}: {one.calibrated_on}"
        say(line)
