"""MegaFace from embeddings or from the kit's feature files: photos with features, cleaned, written, measured."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from facepipe.datasets import megaface_features as files
from facepipe.embed import Embeddings
from facepipe.errors import DatasetError
from facepipe.protocols.megaface import FARS, RANKS, megaface_figures
from facepipe.protocols.megaface_noise import on_list, people, replace_noisy_probes
from facepipe.protocols.result import Result, settings_of
from facepipe.protocols.rows import find_rows, without_extension
from facepipe.score import unit

_LOOKED_AT = 64

Blocks = Callable[[], Iterator[tuple[np.ndarray, np.ndarray]]]
"""→ float32 n×D and bool n, block by block: features, and which are noise."""


@dataclass(frozen=True)
class Photos:
    """Probes or distractors.

    Attributes:
        names: paths, of probes in a folder for each person.
        blocks: their features in this order.
        about: model and flip, as embeddings without rows.
        cleaning: what was done about wrongly labelled probes.
    """

    names: tuple[str, ...]
    blocks: Blocks
    about: Embeddings
    cleaning: str = ""

    def features(self) -> np.ndarray:
        """All of them, float32 N×D."""
        return np.concatenate([features for features, _ in self.blocks()])


def photos_of_embeddings(embeddings: Embeddings, names: Sequence[str] | None = None) -> Photos:
    """Photos of embeddings, all or those that ``names`` lists.

    Raises:
        DatasetError: one is not there.
    """
    if names is not None:
        embeddings = embeddings.take(find_rows(embeddings, [without_extension(name) for name in names]))
    return Photos(embeddings.paths, lambda: iter([_clean(embeddings.mu)]), embeddings.take([]))


def photos_of_features(root: Path, ending: str, names: Sequence[str] | None = None) -> Photos:
    """Photos with feature files, all or those that ``names`` lists; a coordinate that marks noise is taken off.

    Raises:
        DatasetError: there is none.
    """
    listed = tuple(names if names is not None else files.list_features(root, ending))
    first = files.read_features(root, listed[:_LOOKED_AT], ending)
    split = files.split_noise if files.has_noise_coordinate(first) else _clean

    def blocks() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for block in files.feature_blocks(root, listed, ending):
            yield split(block)

    return Photos(listed, blocks, Embeddings(split(first)[0][:0], f"features {ending}"))


def clean_probes(probes: Photos, noises: Collection[str] | None, how: str) -> Photos:
    """Replace wrongly labelled probes by the centre of their person (``centre``), or leave them out (``drop``).

    Raises:
        DatasetError: nothing clean is left of a person (``centre``).
    """
    if noises is None:
        return probes
    noisy, features = on_list(probes.names, noises, 1), probes.features()
    if how == "centre":
        features = replace_noisy_probes(features, people(probes.names), noisy)
        names = probes.names
    else:
        features, names = features[~noisy], tuple(np.array(probes.names, object)[~noisy])
    cleaning = f"{int(noisy.sum())} by {how}"
    return replace(probes, names=names, blocks=lambda: iter([_clean(features)]), cleaning=cleaning)


def export_features(
    folder: Path, algorithm: str, probes: Photos, distractors: Photos, noises: Collection[str], marked: bool
) -> None:
    """Write unit features as the kit reads them: ``facescrub/NAME/photo.png_ALGORITHM.bin``, ``megaface/A/B/photo…``.

    Args:
        folder: to write to.
        algorithm: name in the files.
        probes, distractors: what to write.
        noises: distractors to be disabled.
        marked: whether to append the coordinate that marks noise.
    """
    for photos, inner, depth in ((probes, "facescrub", 2), (distractors, "megaface", 3)):
        noisy = on_list(photos.names, noises, 3) if depth == 3 else np.zeros(len(photos.names), bool)
        done = 0
        for features, disabled in photos.blocks():
            here = slice(done, done + len(features))
            rows = unit(features)
            rows = files.with_noise(rows, noisy[here] | disabled) if marked else rows
            for name, row in zip(photos.names[here], rows, strict=True):
                tail = "/".join(name.replace("\\", "/").split("/")[-depth:])
                files.write_feature(folder / inner / f"{tail}_{algorithm}.bin", row)
            done += len(features)


def evaluate_megaface(
    probes: Photos,
    distractors: Photos,
    noises: Collection[str] = (),
    sizes: Sequence[int] = (),
    fars: Sequence[float] = FARS,
    ranks: Sequence[int] = RANKS,
    settings: dict[str, Any] | None = None,
) -> Result:
    """Rank-1 for each number of distractors, and TAR at FAR with the largest, see `megaface_figures`.

    Args:
        probes, distractors: of one model.
        noises: distractors that match nobody.
        sizes: numbers of distractors; none stands for powers of ten from 10, and all.
        fars, ranks: of the figures.
        settings: to be kept in the result.

    Raises:
        DatasetError: models differ, too few distractors, or nobody has two photos.
    """
    if (probes.about.model, probes.about.flip) != (distractors.about.model, distractors.about.flip):
        raise DatasetError(f"probes of {probes.about.model}, distractors of {distractors.about.model}: use one model")
    count = len(distractors.names)
    wanted = sorted(set(sizes)) or sorted({size for power in range(1, 9) if (size := 10**power) < count} | {count})
    listed = on_list(distractors.names, noises, 3)

    def blocks() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        done = 0
        for features, disabled in distractors.blocks():
            yield features, disabled | listed[done : done + len(features)]
            done += len(features)

    figures = megaface_figures(probes.features(), people(probes.names), blocks(), wanted, ranks, fars)
    figures = {"tar": figures["sizes"][-1]["tar"], "cmc": figures["sizes"][-1]["cmc"], **figures}
    more = {"score": "cosine", "noisy_probes": probes.cleaning, "noise_list": len(noises), **(settings or {})}
    return Result("megaface", figures, settings_of(probes.about, **more))


def _clean(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return features, np.zeros(len(features), bool)
