"""Embeddings of images and of their damaged copies, from the options that every evaluation takes."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from facepipe.cli import options
from facepipe.cli.eval_source import Source

if TYPE_CHECKING:
    from facepipe.detect import Detector, Search
    from facepipe.embed import Embedder, Embeddings
    from facepipe.pipeline import Cropper


def damaged_embeddings(source: Source, names: Sequence[str], what: str, damage: str, scored: bool) -> "Embeddings":
    """Embeddings of the images ``names`` and of a damaged copy of each, under paths as `name_copies` gives them.

    Args:
        source: a folder, or a file that an earlier run saved.
        names: paths of images without extension.
        what: the dataset, for the progress bar.
        damage: protocol of `facepipe.datasets.damage`.
        scored: whether a detector looks at all crops, clean and damaged, for their detection scores.

    Raises:
        DatasetError: a file without damaged copies, or as `Source.embeddings`.
    """
    from facepipe.embed import save_embeddings
    from facepipe.protocols.damaged import name_copies, require_copies

    if source.has_embeddings:
        embeddings = source.embeddings(names, what)
        require_copies(embeddings, str(source.paths[0]), damage)
        return embeddings
    own = {field.name: getattr(source, field.name) for field in fields(Source)} | {"save": None}
    embeddings = name_copies(_DamagingSource(**own, damage=damage, scored=scored).embeddings(names, what), damage)
    if source.save is not None:
        save_embeddings(source.save, embeddings)
    return embeddings


def detector_of(source: Source) -> "Detector":
    """The detector that the options of a source describe."""
    return options.make_detector(source.preset, source.min_face, source.factor, source.thresholds, source.device)


@dataclass(frozen=True)
class _DamagingSource(Source):
    damage: str
    scored: bool

    def _member(self, model: str | None, detector: "Search | None") -> tuple["Cropper", "Embedder"]:
        from facepipe.protocols.damaged import DamagedCropper

        cropper, embedder = super()._member(model, detector)
        return DamagedCropper(cropper, self.damage, detector_of(self) if self.scored else None), embedder
