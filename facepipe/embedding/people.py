"""The people in saved embeddings, by the folders of their photos or as a gallery names them."""

from pathlib import Path

from facepipe.embedding.embeddings import Embeddings
from facepipe.files import canonical
from facepipe.files.identity import TOP, Layout, below, common_root
from facepipe.parameters import parameter

GALLERY_FORM = 2
"""Galleries of format 1 may have deeper paths, with the person as last folder."""


def people_of(embeddings: Embeddings, identity_depth: int = TOP) -> tuple[list[str], str]:
    """The person of each row, by the rule of `facepipe.files.identity_of`, and a remark on the folders.

    Older files do not record the folders given to ``facepipe embed``; for these the root is the common folder of all
    photos.

    Returns:
        N names, empty if a photo is not in a folder at that depth; and one line, or empty.
    """
    roots = embeddings.roots or (common_root(embeddings.paths),)
    layout = Layout(identity_depth)
    return [layout.identity(below(path, roots)) for path in embeddings.paths], layout.remark()


def people_in(path: Path, embeddings: Embeddings, identity_depth: int = TOP) -> tuple[list[str], str]:
    """`people_of` for the embeddings of a file; a gallery itself names its people."""
    if not is_gallery(path):
        return people_of(embeddings, identity_depth)
    depth = parameter("identity_depth", identity_depth)
    remark = "" if identity_depth == TOP else f"a gallery, which knows its people by name; {depth} does not apply"
    return [person_of_row(row) for row in embeddings.paths], remark


def person_of_row(row: str) -> str:
    """The person of a gallery's row ``person/image``, in the form NFC: all before the last ``/``; empty without one."""
    return canonical(row.rpartition("/")[0])


def is_gallery(path: Path) -> bool:
    """Whether the paths in a file are exactly ``person/image``, whatever the names."""
    from facepipe.embedding.embeddings_file import read_about  # slow to import
    from facepipe.files.parquet import parquet_schema

    return bool(read_about(parquet_schema(path), path).get("gallery", 0) >= GALLERY_FORM)
