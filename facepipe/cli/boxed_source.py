"""Embeddings of faces that a list has as boxes in images: `Source` over the part of the image around each box."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from facepipe.cli.eval_source import Source
from facepipe.errors import DatasetError

if TYPE_CHECKING:
    import numpy as np

    from facepipe.datasets.ijba import TemplateFaces
    from facepipe.embed import Embeddings
    from facepipe.pipeline import Read

Box = tuple[str, "np.ndarray"]
"""Image file, and (left, top, width, height)."""


def boxed_source(source: Source, lists: Iterable["TemplateFaces"]) -> Source:
    """The source, looking for each face around its box; one of embeddings or of aligned crops as it is."""
    if source.has_embeddings or source.already_aligned:
        return source
    boxes: dict[str, Box] = {}
    for faces in lists:
        boxes |= {name: (file, box) for name, file, box in zip(faces.names, faces.files, faces.boxes, strict=True)}
    return _BoxedSource(**{field.name: getattr(source, field.name) for field in fields(Source)}, boxes=boxes)


@dataclass(frozen=True)
class _BoxedSource(Source):
    boxes: dict[str, Box]

    def _embed(self, names: Sequence[str], what: str, read: "Read | None") -> list["Embeddings"]:
        if read is not None:
            raise DatasetError("images of boxes are read in one way only")
        files = [Path(name) for name in names]
        return [self._run(path, files, models, what, self._reader(path)) for path, models in self._runs()]

    def _reader(self, root: Path) -> "Read":
        from facepipe.datasets.ijba_images import read_region

        def read(name: Path, max_pixels: int) -> "np.ndarray":
            file, box = self.boxes[name.as_posix()]
            return read_region(root, file, box, max_pixels)

        return read
