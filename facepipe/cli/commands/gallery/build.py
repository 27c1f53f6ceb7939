"""Create a gallery from a folder per person, or from images named after the person."""

from pathlib import Path

import click

from facepipe.cli import again, options
from facepipe.cli.door import TABLES, Output, door
from facepipe.cli.face_tools import FaceTools, turning_face_tools
from facepipe.cli.gallery.report import close_to_others, report
from facepipe.cli.inputs import Inputs, pages_option, strict_option
from facepipe.cli.screen import note, progress
from facepipe.files import locked


@click.command("build")
@options.some_images
@click.argument("gallery", metavar="OUT", type=options.output_path)
@options.one_face
@options.identity_depth
@turning_face_tools
@strict_option
@pages_option
@options.as_json
@click.option(
    "--update",
    is_flag=True,
    help="Update OUT: embed new and changed photos, remove deleted ones.",
)
@again.verify
@door(
    Output("gallery", TABLES, add_with="facepipe gallery add", changed_with="update"),
    reads=("images",),
    walks=("images",),
    keeps=("gallery",),
)
def command(
    images: tuple[Path, ...],
    gallery: Path,
    rule: str,
    identity_depth: int,
    tools: FaceTools,
    strict: bool,
    pages: str,
    as_json: bool,
    update: bool,
    verify: bool,
) -> None:
    """Create a gallery from folders with a folder per person, or single images named after the person.

    Images without a face, with several faces, with small or doubtful faces, duplicates, and images that resemble
    another person are reported. Of two images with the same name both are kept, the second with a number. With
    --update, images added by 'gallery add' are kept.
    """
    from facepipe.identification import enrol, save_gallery

    inputs = Inputs(strict, pages)
    if update and gallery.exists():
        _update(images, gallery, rule, identity_depth, tools, inputs, as_json, verify)
        return
    embedder = tools.embedder(options.count_photos(images))
    with progress("embedding") as advance:
        cropper = tools.cropper(embedder, rule)
        made, remarks = enrol(
            images, cropper, embedder, advance, None, inputs.passed, inputs.read, identity_depth, True, pages == "all"
        )
    with locked(gallery, note):
        save_gallery(gallery, made)
    report(gallery, made, [*remarks, *close_to_others(made, embedder.model.card)], as_json, inputs)


def _update(
    images: tuple[Path, ...],
    gallery: Path,
    rule: str,
    identity_depth: int,
    tools: FaceTools,
    inputs: Inputs,
    as_json: bool,
    verify: bool,
) -> None:
    from facepipe.identification import load_gallery, update_gallery

    known = load_gallery(gallery).images
    embedder = tools.embedder_of(gallery, known.model, known.flip, known.provenance, options.count_photos(images))
    with progress("embedding") as advance:
        cropper = tools.cropper(embedder, rule)
        made, remarks, changes = update_gallery(
            gallery, images, cropper, embedder, advance, inputs.passed, inputs.read, identity_depth, verify, note,
            inputs.pages == "all",
        )
    again.note_changes(changes)
    close = close_to_others(made, embedder.model.card, {*changes.new, *changes.changed})
    report(gallery, made, [*remarks, *close], as_json, inputs, changes.counts())
