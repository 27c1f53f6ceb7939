"""The image an embedding comes from, and its state when it was embedded."""

from collections.abc import Mapping
from dataclasses import dataclass

from facepipe.embedding.embeddings import Embeddings
from facepipe.files import Mark


@dataclass(frozen=True)
class Origin:
    """The image an embedding comes from.

    Attributes:
        image: path of the image, as given.
        mark: its size, modification time and digest then.
        remarks: notes on the image, see `facepipe.images.Picture`.
    """

    image: str
    mark: Mark
    remarks: tuple[str, ...] = ()


def origins_of(batch: Embeddings, known: Mapping[str, Origin]) -> dict[str, Origin]:
    """Path of each row and failure of a batch → its origin.

    Args:
        batch: rows; the path of a second face of an image ends in ``#1``, and so on.
        known: path of an image → its origin; may include other images.
    """
    found = {}
    last = ""
    for path in batch.paths:
        last = path if path in known and not path.startswith(f"{last}#") else last or path
        found[path] = known[last]
    return found | {path: known[path] for path, _ in batch.failed}
