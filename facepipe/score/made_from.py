"""Which file of embeddings an index was made from, and whether it is still what it was."""

from pathlib import Path
from typing import Any

from facepipe.errors import EmbeddingsError
from facepipe.files import Mark, mark_file
from facepipe.files.fingerprint import compare_mark, digest_of
from facepipe.parameters import parameter


def made_from(source: Path) -> list[Any]:
    """What an index keeps of its source: size, time of change in nanoseconds, digest of the contents, path."""
    mark = mark_file(source, digest=True)
    return [mark.size, mark.mtime, mark.digest, str(source.resolve())]


def is_from(then: list[Any], source: Path) -> bool:
    """Whether what `made_from` kept is of ``source`` as it is now, wherever it lies."""
    found = compare_mark(str(source), Mark(*then[:3]), mark_file(source), lambda _: digest_of(source))
    return found != "changed"


def require_same_source(index: Path, then: list[Any], source: Path) -> None:
    """Refuse to make an index of one file anew from another one.

    Raises:
        EmbeddingsError: it was made from a file of another path; names both.
    """
    if len(then) > 3 and then[3] != str(source.resolve()):
        raise EmbeddingsError(
            f"{index}: an index of another store, {then[3]}; "
            f"choose another name, or replace it with {parameter('overwrite', True)}"
        )
