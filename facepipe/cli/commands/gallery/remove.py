"""Remove people, or single images (person/image)."""

from pathlib import Path

import click

from facepipe.cli import options
from facepipe.cli.door import TABLES, Output, door
from facepipe.cli.gallery.report import report
from facepipe.cli.screen import note
from facepipe.files import match_names


@click.command("remove")
@options.one_gallery
@click.argument("names", nargs=-1, required=True)
@options.as_json
@door(Output("gallery", TABLES, changes=True))
def command(gallery: Path, names: tuple[str, ...], as_json: bool) -> None:
    """Remove people, or single images (person/image), from a gallery."""
    from facepipe.identification import Gallery, change_gallery, without

    def change(known: Gallery) -> Gallery:
        for name in match_names(names, [*known.names, *known.images.paths]).other_form:
            note(f"{name}: found in a different Unicode normalisation")
        for name in names:
            known = without(known, name)
        return known

    report(gallery, change_gallery(gallery, change, note), [], as_json)
