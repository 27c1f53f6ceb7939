"""``facepipe eval lfw``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from facepipe.cli import options
from facepipe.cli.screen import note, out, print_json, progress
from facepipe.errors import DatasetError

if TYPE_CHECKING:
    from facepipe.datasets.pairs import Pairs
    from facepipe.detect import Detector
    from facepipe.embed import Embedder, Embeddings
    from facepipe.protocols import Result


@click.command("lfw")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--pairs", "pairs_file", required=True, type=click.Path(path_type=Path), help="LFW's pairs.txt.")
@options.model
@click.option(
    "--rule",
    "accuracy_rule",
    type=click.Choice(["sphereface", "insightface"]),
    default="sphereface",
    show_default=True,
    help="sphereface: mean subtraction, fine thresholds; insightface: its verification.py.",
)
@options.flip
@click.option(
    "--on-miss",
    type=click.Choice(["centre", "skip", "fail"]),
    default="centre",
    show_default=True,
    help="An image without a detected face: use its centre, skip its pairs, or stop.",
)
@options.faces
@options.already_aligned
@click.option("--save", type=options.output_path, help="Keep the embeddings in this Parquet file.")
@options.precision
@options.device
@options.detection
@options.as_json
def command(
    path: Path,
    pairs_file: Path,
    model: str | None,
    accuracy_rule: str,
    flip: str | None,
    on_miss: str,
    rule: str,
    already_aligned: bool,
    save: Path | None,
    precision: str,
    device: str,
    preset: str,
    min_face: float | None,
    factor: float | None,
    thresholds: tuple[float, ...] | None,
    as_json: bool,
) -> None:
    """Evaluate on LFW, view 2.

    PATH is the folder of raw images (name/name_0001.jpg), a folder of aligned crops of that form (with
    --already-aligned; 'facepipe preprocess' writes one), or a file of embeddings from 'facepipe embed' or
    --save. Reports the mean of the folds, its standard error, and how many images had no detected face.
    """
    from facepipe.datasets.pairs import read_lfw_pairs
    from facepipe.embed import load_embeddings, save_embeddings
    from facepipe.protocols import evaluate_lfw

    pairs = read_lfw_pairs(pairs_file)
    if path.is_file():
        if model or flip or already_aligned:
            raise DatasetError(f"{path}: these embeddings are made; --model, --flip and --already-aligned do not apply")
        embeddings = load_embeddings(path)
    else:
        if not path.is_dir():
            raise DatasetError(f"{path}: no such folder or embeddings file; PATH holds LFW's folders of people")
        detector = None if already_aligned else options.make_detector(preset, min_face, factor, thresholds, device)
        embedder = options.make_embedder(model, flip, precision, device)
        embeddings = _embed(path, pairs, detector, embedder, rule)
    if save is not None:
        save_embeddings(save, embeddings)
    result = evaluate_lfw(embeddings, pairs, accuracy_rule, on_miss)
    if as_json:
        print_json(result.as_json())
    else:
        _show(result)


def _embed(path: Path, pairs: "Pairs", detector: "Detector | None", embedder: "Embedder", rule: str) -> "Embeddings":
    from facepipe.align import Aligner
    from facepipe.embed import join
    from facepipe.pipeline import Cropper, embed_images

    files = [_file(path, name) for name in pairs.names]
    cropper = Cropper(Aligner(embedder.model.card.input.template), detector, rule, "centre")
    with progress("LFW", len(files)) as advance:
        return join(list(embed_images(files, cropper, embedder, progress=advance)))


def _file(folder: Path, name: str) -> Path:
    """The image called ``name``, with whichever extension it has."""
    for suffix in (".jpg", ".png", ".webp", ".jpeg"):
        file = folder / f"{name}{suffix}"
        if file.is_file():
            return file
    raise DatasetError(f"{folder / name}.jpg: no such image; PATH must hold LFW's folders of people")


def _show(result: "Result") -> None:
    from rich.table import Table

    table = Table(title=f"LFW view 2, rule {result.settings['rule']}, {result.settings['model']}")
    for column in ("fold", "accuracy", "threshold", "pairs"):
        table.add_column(column, justify="right")
    for number, fold in enumerate(result.folds, 1):
        table.add_row(str(number), f"{100 * fold.accuracy:.2f} %", f"{fold.threshold:.4f}", str(fold.pairs))
    table.add_section()
    settings = result.settings
    mean, error = f"{100 * result.accuracy:.2f} %", f"± {100 * result.std_error:.2f}"
    table.add_row("mean", mean, error, str(settings["pairs"]))
    out().print(table)
    what = {"centre": "their centre was used", "skip": "their pairs were skipped", "fail": ""}[settings["on_miss"]]
    missed = f"; {what}" if settings["undetected"] else ""
    note(f"{settings['undetected']} of {settings['images']} images had no detected face{missed}")
