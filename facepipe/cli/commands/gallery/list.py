"""List the people in a gallery, with the number of their images."""

from pathlib import Path

import click

from facepipe.cli import options
from facepipe.cli.door import door
from facepipe.cli.gallery.report import account, size_of_gallery
from facepipe.cli.screen import note, print_json
from facepipe.cli.table import show_table
from facepipe.tables import Column


@click.command("list")
@options.one_gallery
@options.identity_depth
@options.as_json
@door(reads=("gallery",))
def command(gallery: Path, identity_depth: int, as_json: bool) -> None:
    """List the people in a gallery, with the number of their images."""
    from facepipe.identification import load_gallery

    known = load_gallery(gallery, identity_depth, lambda line: note(f"{gallery}: {line}", style="yellow"))
    if as_json:
        print_json(account(gallery, known))
        return
    columns = Column("person"), Column("images", right=True)
    show_table(columns, list(zip(known.names, known.counts(), strict=True)))
    click.echo(f"{gallery}: {size_of_gallery(known)}, embedded by {known.images.model} (flip {known.images.flip})")
