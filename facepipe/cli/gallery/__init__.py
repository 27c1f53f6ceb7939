"""``facepipe gallery``: one sub-command per file."""

import click

from facepipe.cli.lazy_group import LazyGroup

COMMANDS = {
    "build": "Make a gallery of folders with a folder per person, or of images named after the person.",
    "add": "Add people, or more images of people, to a gallery.",
    "remove": "Remove people, or single images (person/image).",
    "list": "Who is in a gallery, with how many images.",
    "merge": "Put galleries of one model together.",
}


@click.group("gallery", cls=LazyGroup, modules="gallery.", lines=COMMANDS)
def command() -> None:
    """Galleries of known people, for 'facepipe identify'.

    A gallery is one Parquet file with the embeddings of people's photos, under person/image; no photo is kept in
    it. It stays on this machine; delete the file and it is gone.
    """
