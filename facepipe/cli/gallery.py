"""``facepipe gallery``."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facepipe.cli import again, options
from facepipe.cli.door import TABLES, Output, door
from facepipe.cli.face_tools import FaceTools, turning_face_tools
from facepipe.cli.inputs import Inputs, strict_option
from facepipe.cli.lazy_group import Group
from facepipe.cli.photo_type import PHOTO
from facepipe.cli.screen import note, print_json, progress
from facepipe.cli.table import Column, show_table
from facepipe.files import locked, match_names

if TYPE_CHECKING:
    from facepipe.identification import Gallery, Remark
    from facepipe.zoo import Card

_gallery = click.argument("gallery", type=click.Path(path_type=Path))
_FPIR = 1e-2
_some_images = click.argument("images", nargs=-1, required=True, type=PHOTO)


@click.group("gallery", cls=Group)
def command() -> None:
    """Galleries of known people, for 'facepipe identify'.

    A gallery is one Parquet file with the embeddings of people's photos, under person/image; no photo is kept in
    it. It stays on this machine; delete the file and it is gone.
    """


@command.command("build")
@_some_images
@click.argument("gallery", metavar="OUT", type=options.output_path)
@options.one_face
@options.identity_depth
@turning_face_tools
@strict_option
@options.as_json
@click.option(
    "--update",
    is_flag=True,
    help="Bring OUT up to date: embed photos that are new or have changed, remove those that have vanished.",
)
@again.verify
@door(
    Output("gallery", TABLES, add_with="facepipe gallery add", changed_with="update"),
    reads=("images",),
    there=("images",),
    walks=("images",),
)
def build(
    images: tuple[Path, ...],
    gallery: Path,
    rule: str,
    identity_depth: int,
    tools: FaceTools,
    strict: bool,
    as_json: bool,
    update: bool,
    verify: bool,
) -> None:
    """Make a gallery of folders with a folder per person, or with single images named after the person.

    Images without a face, with several faces, small or doubtful ones, duplicates, and images that look like
    somebody else are reported. Two images of one name are both kept, the second one with a number. With --update, what
    'gallery add' added stays.
    """
    from facepipe.identification import enrol, save_gallery

    inputs = Inputs(strict)
    if update and gallery.exists():
        _update(images, gallery, rule, identity_depth, tools, inputs, as_json, verify)
        return
    embedder = tools.embedder(options.count_photos(images))
    with progress("embedding") as advance:
        cropper = tools.cropper(embedder, rule)
        made, remarks = enrol(
            images, cropper, embedder, advance, None, inputs.passed, inputs.read, identity_depth, marked=True
        )
    with locked(gallery, note):
        save_gallery(gallery, made)
    _report(gallery, made, [*remarks, *_alike(made, embedder.model.card)], as_json, inputs)


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
    embedder = tools.embedder_of(gallery, known.model, known.flip, known.making, options.count_photos(images))
    with progress("embedding") as advance:
        cropper = tools.cropper(embedder, rule)
        made, remarks, changes = update_gallery(
            gallery, images, cropper, embedder, advance, inputs.passed, inputs.read, identity_depth, verify, note
        )
    again.tell_changes(changes)
    close = _alike(made, embedder.model.card, {*changes.new, *changes.changed})
    _report(gallery, made, [*remarks, *close], as_json, inputs, changes.counts())


@command.command("add")
@_gallery
@_some_images
@click.option("--name", help="To whom all these images belong [default: folders or file names say it].")
@options.one_face
@options.identity_depth
@turning_face_tools
@strict_option
@options.as_json
@door(Output("gallery", TABLES, changes=True), reads=("images",), there=("images",), walks=("images",))
def add(
    gallery: Path,
    images: tuple[Path, ...],
    name: str | None,
    rule: str,
    identity_depth: int,
    tools: FaceTools,
    strict: bool,
    as_json: bool,
) -> None:
    """Add people, or more images of people, to a gallery.

    The same picture under the same name is replaced; another picture of that name is kept beside it, with a number.
    """
    from facepipe.identification import change_gallery, enrol, load_gallery, merge

    known = load_gallery(gallery)
    inputs = Inputs(strict)
    photos, made = options.count_photos(images), known.images
    embedder = tools.embedder_of(gallery, made.model, made.flip, made.making, photos)
    with progress("embedding") as advance:
        cropper = tools.cropper(embedder, rule)
        new, remarks = enrol(images, cropper, embedder, advance, name, inputs.passed, inputs.read, identity_depth)
    both = change_gallery(gallery, lambda now: merge([now, new], remarks.append), note)
    added = {*new.images.paths, *(remark.path for remark in remarks if remark.kind == "renamed")}
    _report(gallery, both, [*remarks, *_alike(both, embedder.model.card, added)], as_json, inputs)


@command.command("remove")
@_gallery
@click.argument("names", nargs=-1, required=True)
@options.as_json
@door(Output("gallery", TABLES, changes=True))
def remove(gallery: Path, names: tuple[str, ...], as_json: bool) -> None:
    """Remove people, or single images (person/image): the file is written anew without them."""
    from facepipe.identification import Gallery, change_gallery, without

    def change(known: Gallery) -> Gallery:
        for name in match_names(names, [*known.names, *known.images.paths]).other_form:
            note(f"{name}: found in another form of Unicode")
        for name in names:
            known = without(known, name)
        return known

    _report(gallery, change_gallery(gallery, change, note), [], as_json)


@command.command("list")
@_gallery
@options.identity_depth
@options.as_json
@door(reads=("gallery",))
def list_(gallery: Path, identity_depth: int, as_json: bool) -> None:
    """Who is in a gallery, with how many images."""
    from facepipe.identification import load_gallery

    known = load_gallery(gallery, identity_depth, lambda line: note(f"{gallery}: {line}", style="yellow"))
    if as_json:
        print_json(_account(gallery, known))
        return
    columns = Column("person"), Column("images", right=True)
    show_table(columns, list(zip(known.names, known.counts(), strict=True)))
    click.echo(f"{gallery}: {_counted(known)}, embedded by {known.images.model} (flip {known.images.flip})")


@command.command("merge")
@click.argument("galleries", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--out", "gallery", required=True, type=options.output_path, help="Gallery to write.")
@options.as_json
@door(Output("gallery", TABLES, grows="galleries"), reads=("galleries",))
def merge_(galleries: tuple[Path, ...], gallery: Path, as_json: bool) -> None:
    """Put galleries of one model together; people of the same name become one, and keep all their images.

    OUT may be one of them: then the others are added to it.
    """
    from facepipe.identification import Remark, load_gallery, merge, save_gallery

    with locked(gallery, note):
        remarks: list[Remark] = []
        both = merge([load_gallery(path) for path in galleries], remarks.append)
        save_gallery(gallery, both)
    _report(gallery, both, remarks, as_json)


def _alike(gallery: "Gallery", card: "Card", only: set[str] | None = None) -> list["Remark"]:
    import numpy as np

    from facepipe.errors import ModelError
    from facepipe.identification import alike, decide

    try:  # from where on 'facepipe identify' would give the image somebody else's name
        same = decide(card, _FPIR, len(gallery.names), flip=gallery.images.flip).threshold
    except ModelError:
        same = 1.0
    rows = None if only is None else np.array([n for n, path in enumerate(gallery.images.paths) if path in only], int)
    return alike(gallery, same, rows)


def _report(
    path: Path,
    gallery: "Gallery",
    remarks: list["Remark"],
    as_json: bool,
    inputs: Inputs | None = None,
    changes: dict[str, int] | None = None,
) -> None:
    from facepipe.embedding.finding import mixed_detectors
    from facepipe.embedding.precision import mixed_precision
    from facepipe.identification import Remark

    images = gallery.images
    told = {
        "mixed_precision": mixed_precision(images.precision),
        "mixed_detectors": mixed_detectors(images.findings),
    }
    remarks = [*remarks, *(Remark(kind, str(path), text) for kind, text in told.items() if text)]
    if inputs is not None:
        inputs.tell()
    passed = {} if inputs is None else inputs.passed_over()
    if as_json:
        counts = {} if changes is None else {"changes": changes}
        print_json(_account(path, gallery) | {"remarks": [vars(remark) for remark in remarks]} | passed | counts)
        _end(inputs, remarks)
        return
    for remark in remarks:
        note(f"{remark.path}: {remark.text}", style="yellow")
    click.echo(f"{path}: {_counted(gallery)}, embedded by {gallery.images.model}")
    kinds = Counter(remark.kind.replace("_", " ") for remark in remarks)
    if kinds:
        click.echo("to look at: " + ", ".join(f"{count} {kind}" for kind, count in kinds.items()))
    _end(inputs, remarks)


def _end(inputs: Inputs | None, remarks: list["Remark"]) -> None:
    if inputs is not None:
        for remark in remarks:
            inputs.see(remark.path, (remark.text,) if remark.kind == "picture" else ())
        inputs.end(sum(remark.kind == "no_face" for remark in remarks))


def _account(path: Path, gallery: "Gallery") -> dict[str, Any]:
    counts = dict(zip(gallery.names, gallery.counts().tolist(), strict=True))
    images = gallery.images
    return {
        "gallery": str(path),
        "model": images.model,
        "flip": images.flip,
        "precision": images.precision or None,
        "findings": list(images.findings) or None,
        "people": counts,
        "images": len(images),
    }


def _counted(gallery: "Gallery") -> str:
    people = len(gallery.names)
    return f"{people} {'person' if people == 1 else 'people'}, {len(gallery.images)} images"
