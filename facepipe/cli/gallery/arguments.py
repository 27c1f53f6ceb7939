"""Arguments that commands over galleries share."""

from pathlib import Path

import click

from facepipe.cli.photo_type import PHOTO

one_gallery = click.argument("gallery", type=click.Path(path_type=Path))
some_images = click.argument("images", nargs=-1, required=True, type=PHOTO)
