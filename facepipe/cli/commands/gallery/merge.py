"""Merge galleries of one model."""

from pathlib import Path

import click

from facepipe.cli import options
from facepipe.cli.door import TABLES, Output, door
from facepipe.cli.gallery.report import report
from facepipe.cli.screen import note
from facepipe.files import locked


@click.command("merge")
@click.argument("galleries", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--out", "gallery", required=True, type=options.output_path, help="Gallery to write.")
@options.as_json
@door(Output("gallery", TABLES, grows="galleries"), reads=("galleries",))
def command(galleries: tuple[Path, ...], gallery: Path, as_json: bool) -> None:
    """Merge galleries of one model; people of the same name become one and keep all their images.

    OUT may be one of them; the others are then added to it.
    """
    from facepipe.identification import Remark, load_gallery, merge, save_gallery

    with locked(gallery, note):
        remarks: list[Remark] = []
        both = merge([load_gallery(path) for path in galleries], remarks.append)
        save_gallery(gallery, both)
    report(gallery, both, remarks, as_json)
