"""Add people, or more images of people, to a gallery."""

from pathlib import Path

import click

from facepipe.cli import options
from facepipe.cli.door import TABLES, Output, door
from facepipe.cli.face_tools import FaceTools, turning_face_tools
from facepipe.cli.gallery.report import close_to_others, report
from facepipe.cli.inputs import Inputs, pages_option, strict_option
from facepipe.cli.screen import note, progress


@click.command("add")
@options.one_gallery
@options.some_images
@click.option("--name", help="Person in these images [default: from folder or file names].")
@options.one_face
@options.identity_depth
@turning_face_tools
@strict_option
@pages_option
@options.as_json
@door(Output("gallery", TABLES, changes=True), reads=("images",), walks=("images",))
def command(
    gallery: Path,
    images: tuple[Path, ...],
    name: str | None,
    rule: str,
    identity_depth: int,
    tools: FaceTools,
    strict: bool,
    pages: str,
    as_json: bool,
) -> None:
    """Add people, or more images of people, to a gallery.

    The same picture under the same name is replaced; a different picture with that name is added with a number.
    """
    from facepipe.identification import change_gallery, enrol, load_gallery, merge

    known = load_gallery(gallery)
    inputs = Inputs(strict, pages)
    photos, made = options.count_photos(images), known.images
    embedder = tools.embedder_of(gallery, made.model, made.flip, made.provenance, photos)
    with progress("embedding") as advance:
        cropper = tools.cropper(embedder, rule)
        kept = inputs.passed, inputs.read, identity_depth, False, pages == "all"
        new, remarks = enrol(images, cropper, embedder, advance, name, *kept)
    both = change_gallery(gallery, lambda now: merge([now, new], remarks.append), note)
    added = {*new.images.paths, *(remark.path for remark in remarks if remark.kind == "renamed")}
    report(gallery, both, [*remarks, *close_to_others(both, embedder.model.card, added)], as_json, inputs)
