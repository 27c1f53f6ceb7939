"""Create and maintain galleries of known people."""

import click

from facepipe.cli.lazy_group import LazyGroup, command_files


@click.group("gallery", cls=LazyGroup, commands=command_files(__name__, "build", "add", "remove", "list", "merge"))
def command() -> None:
    """Galleries of known people, for 'facepipe identify'.

    A gallery is one Parquet file with the embeddings of people's photos, under person/image; it contains no
    photos. It stays on this machine until you delete the file.
    """
