"""Several models as one: their embeddings, each scaled to length 1, one after the other.

The cosine of two such rows is the mean of the models' cosines. With as many crops of a face as models it is the
ensemble of patches in the SphereFace paper (App. H).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from facepipe.detection import Detector, Faces
from facepipe.detection.shared_tables import SharedTables, share_tables
from facepipe.embedding import Embedder, Embeddings
from facepipe.embedding.finding import joined_findings
from facepipe.embedding.halves import fold_halves, has_halves
from facepipe.embedding.provenance import joined_record
from facepipe.errors import EmbeddingsError
from facepipe.pipeline import STEP, Cropper, Read, ReadImage, See, embed_batch, read_batches
from facepipe.score import unit
from facepipe.workers import OnRay

Members = Sequence[tuple[Cropper, Embedder]]
"""For each model, a cropper with its template and an embedder; croppers may share a `SameFaces`."""


def concatenate(parts: Sequence[Embeddings], halves: str = "keep") -> Embeddings:
    """Join embeddings of the same images by several models, under the paths of the first.

    Models and flip rules are joined by ``+``; a rule shared by all appears once, except ``concat``, since the second
    half of the joined embedding is no mirror image of the first. Kappa and sigma2 are dropped, as they belong to one
    model's space. A face counts as detected if all parts detected it.

    Args:
        parts: with equal paths in equal order; a single one is returned unchanged.
        halves: how a part made with flip ``concat`` is treated before scaling and joining, see
            `facepipe.embedding.halves.fold_halves`; after joining, the halves can no longer be separated.

    Raises:
        EmbeddingsError: there are no parts, or their paths differ.
    """
    if not parts:
        raise EmbeddingsError("no embeddings to join")
    first = parts[0]
    if len(parts) == 1:
        return first
    for other in parts[1:]:
        if other.paths != first.paths:
            raise EmbeddingsError(
                f"embeddings of {first.model} and {other.model} are of different images; embed the same ones with both"
            )
    parts = [fold_halves(part, halves) for part in parts]
    return replace(
        first,
        mu=np.concatenate([unit(part.mu) for part in parts], axis=1).astype(np.float32),
        model="+".join(part.model for part in parts),
        flip=_flip([part.flip for part in parts]),
        precision=joined_record(part.precision for part in parts),
        engine=joined_record(part.engine for part in parts),
        findings=joined_findings(part.findings for part in parts),
        detected=np.all([part.detected for part in parts], axis=0),
        kappa=None,
        sigma2=None,
        trained_dim=0,
    )


def ensemble_of(embedders: Sequence[Embedder]) -> tuple[str, str, int]:
    """Model, flip rule and length of the embeddings that `concatenate` makes from these embedders."""
    return (
        "+".join(embedder.model.identity for embedder in embedders),
        _flip([embedder.flip for embedder in embedders]),
        sum(embedder.dim for embedder in embedders),
    )


def _flip(flips: Sequence[str]) -> str:
    alike = len(set(flips)) == 1 and (len(flips) == 1 or not has_halves(flips[0]))
    return flips[0] if alike else "+".join(flips)


def embed_ensemble(
    paths: Iterable[Path],
    members: Members,
    progress: Callable[[int], None] = lambda _: None,
    read: Read | None = None,
    halves: str = "keep",
    see: See = lambda _: None,
) -> Iterator[Embeddings]:
    """`facepipe.pipeline.embed_images` with several models; images are read once.

    Args:
        paths: of images.
        members: see `Members`.
        progress: called with the number of images finished in each batch.
        read: see `facepipe.pipeline.read_batches`.
        halves: see `concatenate`.
        see: called with every image after reading.
    """
    for batch in read_batches(paths, read=read):
        for image in batch:
            see(image)
        yield concatenate([embed_batch(batch, cropper, embedder) for cropper, embedder in members], halves)
        progress(len(batch))


def embed_ensemble_on(
    on: OnRay,
    paths: Iterable[Path],
    load_members: Callable[[], Members],
    device: str = "auto",
    progress: Callable[[int], None] = lambda _: None,
    read: Read | None = None,
    halves: str = "keep",
    see: See = lambda _: None,
) -> Iterator[Embeddings]:
    """`embed_ensemble` on workers, in steps of `STEP` images: the same batches in the same order.

    Args:
        on: the workers.
        paths: of images, as the workers see them.
        load_members: called once by each worker.
        device: of the members.
        progress: called with the number of images finished in each step.
        read, halves: as of `embed_ensemble`.
        see: called with every image, without its pixels.
    """
    results = on.map(_Unit(load_members, read, halves), _units(paths), device, lambda unit: str(unit[0]))
    for parts, seen in results:
        for image in seen:
            see(image)
        yield from parts
        progress(len(seen))


def _units(paths: Iterable[Path]) -> Iterator[list[Path]]:
    remaining = iter(paths)
    while unit := list(islice(remaining, STEP)):
        yield unit


@dataclass(frozen=True)
class _Unit:
    """Builds the function that embeds one unit."""

    load_members: Callable[[], Members]
    read: Read | None
    halves: str

    def __call__(self) -> Callable[[list[Path]], tuple[list[Embeddings], list[ReadImage]]]:
        members = self.load_members()

        def work(paths: list[Path]) -> tuple[list[Embeddings], list[ReadImage]]:
            seen: list[ReadImage] = []
            parts = embed_ensemble(
                paths,
                members,
                read=self.read,
                halves=self.halves,
                see=lambda image: seen.append(replace(image, pixels=None)),
            )
            return list(parts), seen

        return work


class SameFaces:
    """A detector that caches the faces of its last call's images."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self.settings = getattr(detector, "settings", None)
        self._images: list[np.ndarray] = []
        self._faces: list[Faces] = []

    def share_tables(self, kept: SharedTables) -> None:
        """See `facepipe.detection.shared_tables.SharingDetector`."""
        share_tables(self._detector, kept)

    def __call__(self, images: Sequence[np.ndarray]) -> list[Faces]:
        """One `Faces` per image."""
        known = len(images) == len(self._images)
        if not (known and all(a is b for a, b in zip(images, self._images, strict=True))):
            self._images = []  # and with them their tables, if any are kept
            self._faces = self._detector(images)
            self._images = list(images)
        return self._faces
