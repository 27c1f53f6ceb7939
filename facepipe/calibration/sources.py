"""Faces to calibrate on, from crops, photos or saved embeddings."""

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from facepipe.alignment import Aligner, fit_crop
from facepipe.calibration.faces import KnownFaces, known_faces
from facepipe.datasets import Samples, hold_out, hold_out_images, open_samples, take
from facepipe.datasets.lines import read_text
from facepipe.datasets.samples.digest import image_digest
from facepipe.datasets.samples.opening import shards_and_others
from facepipe.datasets.samples.samples import UNLABELLED, join_samples
from facepipe.datasets.samples.shards import open_shards
from facepipe.embedding import Embedder, Embeddings, load_embeddings
from facepipe.embedding import join as join_embeddings
from facepipe.embedding.identity import remedy, same_model
from facepipe.embedding.people import people_in
from facepipe.errors import DatasetError, EmbeddingsError, FacepipeError
from facepipe.files import Layout, PassedOver
from facepipe.images import list_images, read_rgb
from facepipe.parameters import parameter
from facepipe.pipeline import Cropper, embed_images
from facepipe.tables import counted
from facepipe.zoo import Card

_BATCH = 64
Advance = Callable[[int], None]


def _silent(_: int) -> None:
    return None


@dataclass(frozen=True)
class HeldOut:
    """The part of a training set that was held out of training, see `hold_out` and `hold_out_images`.

    Attributes:
        people: number of identities, ``data.held_out`` of the recipe; 0 takes all.
        images: source → number of unlabelled images held out of training; empty takes all.
        seed: seed in the recipe.
    """

    people: int = 0
    images: Mapping[str, int] | None = None
    seed: int = 0


def open_crops(paths: Sequence[Path], held_out: HeldOut | None = None, identity_depth: int = 1) -> Samples:
    """Crops to calibrate on: shards, with or without identities, and the other formats of `open_samples`.

    Raises:
        DatasetError: a path is missing or malformed, or has fewer entries than were held out.
    """
    missing = [path for path in paths if not path.exists()]
    if missing:
        raise DatasetError(f"{missing[0]}: no such crops; check the path")
    shards, others = shards_and_others(paths)
    parts = [open_shards(shards, labelled=None)] if shards else []
    parts += [open_samples([path], identity_depth=identity_depth) for path in others]
    samples = join_samples(parts)
    return samples if held_out is None else _only(samples, held_out)


def _only(samples: Samples, held_out: HeldOut) -> Samples:
    """The people and strangers held out of training."""
    named = samples.labels != UNLABELLED
    parts = []
    if named.any():
        people = take(samples, np.flatnonzero(named))
        parts.append(hold_out(people, held_out.people, held_out.seed)[1] or people)
    if not named.all():
        strangers = take(samples, np.flatnonzero(~named))
        parts.append(hold_out_images(strangers, held_out.images or {}, held_out.seed)[1] or strangers)
    return join_samples(parts)


def faces_of_crops(
    samples: Samples,
    embedder: Embedder,
    advance: Advance = _silent,
    one_person: Sequence[tuple[str, str]] = (),
) -> tuple[KnownFaces, list[str]]:
    """Embed crops; unreadable ones are left out and reported.

    Args:
        samples: aligned crops.
        embedder: of the model.
        advance: called with the number of crops done.
        one_person: pairs of unlabelled images known to show the same person, each image given by the first 16 digits
            of its file's SHA-256; the second of each pair is left out.

    Returns:
        The faces, and notes.

    Raises:
        DatasetError: no crop can be read.
    """
    twins = {second for _, second in one_person}
    aligner = Aligner(embedder.model.card.input.template)
    parts: list[Embeddings] = []
    rows: list[int] = []
    lost: list[str] = []
    doubled = 0
    for first in range(0, len(samples), _BATCH):
        crops = []
        batch = range(first, min(len(samples), first + _BATCH))
        for i in batch:
            try:
                data = samples.read(i)
                if samples.labels[i] == UNLABELLED and image_digest(data) in twins:
                    doubled += 1
                    continue
                crops.append(_for(embedder, aligner, read_rgb(data)))
            except (OSError, FacepipeError) as error:
                lost.append(f"{samples.key(i)}: {error}")
                continue
            rows.append(i)
        if crops:
            parts.append(embedder(np.stack(crops)))
        advance(len(batch))
    if not parts:
        raise DatasetError(f"{samples.where}: no crop could be read; the first error: {lost[0] if lost else 'none'}")
    names = [None if samples.labels[i] == UNLABELLED else samples.identities[samples.labels[i]] for i in rows]
    notes = list(samples.notes)
    if doubled:
        notes.append(f"{counted(doubled, 'image')} left out, since another image shows the same person")
    if lost:
        notes.append(f"{counted(len(lost), 'crop')} left out that could not be read, such as {lost[0]}")
    return known_faces(join_embeddings(parts), names, [samples.about(i) for i in rows]), notes


def _for(embedder: Embedder, aligner: Aligner, crop: np.ndarray) -> np.ndarray:
    """The crop in the network's input size, resized as an aligned crop if necessary."""
    if crop.shape[:2] == embedder.size:
        return crop
    return fit_crop(aligner.accept(crop), embedder.size, embedder.model.card.input.fit)


def faces_of_photos(
    root: Path, embedder: Embedder, cropper: Cropper, advance: Advance = _silent, identity_depth: int = 1
) -> tuple[KnownFaces, list[str]]:
    """Detect and embed the faces in photos, one folder per person.

    Args:
        root: holds PERSON/photo.jpg.
        embedder: of the model.
        cropper: for the embedder's model.
        advance: called with the number of photos done.
        identity_depth: level of the folder that names the person, see `facepipe.files.identity_of`.

    Raises:
        DatasetError: no photo is in a person's folder, or no photo has a face.
    """
    passed, layout = PassedOver(), Layout(identity_depth)
    owners = {str(path): layout.identity(path.relative_to(root)) for path in list_images(root, passed=passed)}
    files = [Path(path) for path, owner in owners.items() if owner]
    if not files:
        raise DatasetError(f"{root}: no photos in folders of people; it should hold PERSON/photo.jpg")
    found = join_embeddings(list(embed_images(files, cropper, embedder, progress=advance)))
    if not len(found):
        crops = read_rgb(files[0]).shape[:2] == embedder.size
        aligned = f"they have the size of crops; if they are aligned, set {parameter('already_aligned', True)}"
        advice = aligned if crops else "check the photos"
        raise DatasetError(f"{root}: no face found in {counted(len(files), 'photo')}; {advice}")
    outside = len(owners) - len(files)
    notes = [f"{root}: {layout.remark()}"] if layout.remark() else []
    notes += [f"{root}: {passed.line()}"] if passed else []
    notes += [f"{counted(outside, 'photo')} outside people's folders left out"] if outside else []
    if found.failed:
        path, reason = found.failed[0]
        notes.append(f"{counted(len(found.failed), 'photo')} without a usable face left out, such as {path}: {reason}")
    names = [owners[path] for path in found.paths]
    return known_faces(replace(found, failed=()), names), notes


def faces_of_embeddings(path: Path, card: Card, identity_depth: int = 1) -> tuple[KnownFaces, list[str]]:
    """Faces from an embeddings file of photos in folders per person (PERSON/photo), or a gallery, and notes.

    Raises:
        EmbeddingsError: the file was made by another model, or cannot be read.
    """
    loaded = load_embeddings(path)
    require_made_by(loaded, card, path)
    names, remark = people_in(path, loaded, identity_depth)
    outside = names.count("")
    notes = [f"{path}: {remark}"] if remark else []
    notes += [f"{counted(outside, 'photo')} outside people's folders left out"] if outside else []
    kept = loaded.take([bool(name) for name in names])
    if not len(kept):
        raise DatasetError(
            f"{path}: it has no photo in a folder at depth {identity_depth}; "
            f"see {parameter('identity_depth')}"
        )
    return known_faces(kept, [name for name in names if name]), notes


def require_made_by(embeddings: Embeddings, card: Card, path: Path) -> None:
    """Raise an error for embeddings of another model.

    Raises:
        EmbeddingsError: another model made them.
    """
    if not same_model(embeddings.model, card.identity):
        what = remedy(embeddings.model, card.identity)
        raise EmbeddingsError(f"{path}: made by {embeddings.model}, not by {card.identity}; {what}")


def is_embeddings(path: Path) -> bool:
    """Whether a path is a file of embeddings, rather than a manifest of crops."""
    if path.suffix.lower() != ".parquet" or not path.is_file():
        return False
    from facepipe.files.parquet import DAMAGED_PARQUET, parquet_schema

    try:
        return "mu" in parquet_schema(path).names
    except DAMAGED_PARQUET:
        return False


def is_photos(path: Path) -> bool:
    """Whether a path is a folder of photos rather than of shards, RecordIO or a manifest."""
    packed = any(any(path.glob(pattern)) for pattern in ("*.tar", "*.parquet", "train.rec"))
    return path.is_dir() and not packed


def read_one_person(path: Path) -> list[tuple[str, str]]:
    """Pairs of images that show one person, from a CSV with the columns ``a`` and ``b``.

    Images are identified by the first 16 digits of their file's SHA-256.

    Raises:
        DatasetError: the file is missing or malformed; names the line.
    """
    text = read_text(path, "it should hold pairs of images that show one person: a,b")
    table = csv.DictReader(text.splitlines())
    pairs = []
    for row in table:
        a, b = (row.get("a") or "").strip(), (row.get("b") or "").strip()
        if len(a) != 16 or len(b) != 16:
            raise DatasetError(f"{path}, line {table.line_num}: needs columns a and b, 16 digits of SHA-256 each")
        pairs.append((a, b))
    return pairs
