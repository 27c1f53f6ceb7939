"""``facepipe embed``."""

from itertools import chain
from pathlib import Path

import click

from facepipe.cli import options
from facepipe.cli.screen import note, print_json, progress
from facepipe.errors import FacepipeError


@click.command("embed")
@options.some_paths
@click.option("-o", "--out", required=True, type=options.output_path, help="Parquet file to write.")
@options.model
@options.flip
@options.precision
@options.device
@options.faces
@options.already_aligned
@click.option(
    "--on-miss",
    type=click.Choice(["drop", "centre"]),
    default="drop",
    show_default=True,
    help="An image without a face: leave it out (it is listed with the reason), or embed its centre.",
)
@options.detection
@options.as_json
def command(
    paths: tuple[Path, ...],
    out: Path,
    model: str | None,
    flip: str | None,
    precision: str,
    device: str,
    rule: str,
    already_aligned: bool,
    on_miss: str,
    preset: str,
    min_face: float | None,
    factor: float | None,
    thresholds: tuple[float, ...] | None,
    as_json: bool,
) -> None:
    """Embed images, or all images of folders, into one Parquet file.

    Columns: path, mu (the embedding, float32), detected, error. The file knows which model made it, and
    features of two models are never mixed silently. Paths are kept as given on the command line.
    """
    from facepipe.align import Aligner
    from facepipe.embed import EmbeddingsWriter
    from facepipe.images import list_images
    from facepipe.pipeline import Cropper, embed_images

    embedder = options.make_embedder(model, flip, precision, device)
    detector = None if already_aligned else options.make_detector(preset, min_face, factor, thresholds, device)
    cropper = Cropper(Aligner(embedder.model.card.input.template), detector, rule, on_miss)
    files = chain.from_iterable(list_images(path) for path in paths)
    embedded = failed = 0
    with (
        EmbeddingsWriter(out, embedder.model.identity, embedder.flip, embedder.dim) as writer,
        progress("embedding") as advance,
    ):
        for batch in embed_images(files, cropper, embedder, progress=advance):
            writer.write(batch)
            embedded += len(batch)
            failed += len(batch.failed)
            for path, reason in batch.failed:
                note(f"{path}: {reason}", style="yellow")
        if embedded == 0:
            raise FacepipeError(f"{paths[0]}: nothing to embed ({failed} images without a usable face)")
    if as_json:
        print_json({"out": str(out), "model": embedder.model.identity, "embedded": embedded, "failed": failed})
    else:
        click.echo(f"{out}: {embedded} embeddings of {embedder.model.identity}, {failed} images left out")
