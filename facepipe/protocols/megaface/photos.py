"""MegaFace from embeddings or from the kit's feature files: loading features, cleaning, export and evaluation."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from facepipe.datasets.lines import without_extension
from facepipe.datasets.samples.digest import names_digest
from facepipe.datasets.templates import megaface_features as files
from facepipe.embedding import Embeddings, join
from facepipe.embedding.finding import joined_findings
from facepipe.embedding.identity import remedy, same_model
from facepipe.embedding.people import people_in, people_of
from facepipe.embedding.provenance import joined_record
from facepipe.errors import DatasetError
from facepipe.files import Layout
from facepipe.parameters import parameter
from facepipe.protocols.megaface.noise import on_list, replace_noisy_probes
from facepipe.protocols.megaface.protocol import MEGAFACE_FARS, MEGAFACE_RANKS, MegafaceFigures, megaface_figures
from facepipe.protocols.result import FLAT, IF_ANY, Result, settings_of
from facepipe.protocols.roc import OperatingPoint
from facepipe.protocols.rows import find_rows
from facepipe.protocols.summary import cmc_line, points_table
from facepipe.score import unit
from facepipe.tables import Summary, counted

_INSPECTED = 64

Blocks = Callable[[], Iterator[tuple[Embeddings, np.ndarray]]]
"""→ blocks of embeddings of n photos, and bool n, which of them are noise."""


@dataclass(frozen=True)
class Photos:
    """Probes or distractors.

    Attributes:
        names: paths.
        people: the person in each photo, empty if unknown; used for probes only.
        blocks: their embeddings, in this order.
        about: model and flip, as embeddings without rows.
        cleaning: how wrongly labelled probes were treated.
        remark: one line if the folders suggest another depth.
    """

    names: tuple[str, ...]
    people: tuple[str, ...]
    blocks: Blocks
    about: Embeddings
    cleaning: str = ""
    remark: str = ""

    def person(self) -> np.ndarray:
        """Number of the person on each photo, int64 N.

        Raises:
            DatasetError: a photo lies in no folder of a person.
        """
        if "" in self.people:
            raise DatasetError(f"{self.names[self.people.index('')]}: not in a folder with a person's name")
        return np.unique(self.people, return_inverse=True)[1]

    def embeddings(self) -> Embeddings:
        """All embeddings joined."""
        return join([block for block, _ in self.blocks()])


@dataclass(frozen=True, kw_only=True)
class MegafaceResult(Result):
    """Figures with the largest number of distractors, and for each number.

    Attributes:
        tar: TAR at each FAR.
        cmc: rank (as text) → share recognised.
        figures: for each number of distractors.
        unreadable: numbers of unreadable photos, of ``probes`` and ``distractors``.
        passed_over: ignored files in the two folders, by reason, with ``count`` and ``example``.
    """

    tar: tuple[OperatingPoint, ...]
    cmc: dict[str, float]
    figures: MegafaceFigures = field(metadata=FLAT)
    unreadable: dict[str, int] = field(default_factory=dict, metadata=IF_ANY)
    passed_over: dict[str, dict[str, Any]] = field(default_factory=dict, metadata=IF_ANY)

    def summary(self) -> Iterator[Summary]:
        """See `Result`."""
        about = f"{self.settings['model']}, score {self.settings['score']}"
        probes = f"{counted(self.figures.probes, 'probe')} of {counted(self.figures.people, 'person')}"
        title = f"MegaFace, {about}, {probes}"
        for row in self.figures.sizes:
            noise = f", {row.noise} of them noise" if row.noise else ""
            what = f"{counted(row.distractors, 'distractor')}{noise}"
            yield cmc_line(row.cmc, f"{title}, {what}")
        yield from points_table(self.tar, "far", "tar", f"{title}, {what}")


def photos_of_embeddings(
    embeddings: Embeddings,
    names: Sequence[str] | None = None,
    identity_depth: int | None = 1,
    file: Path | None = None,
) -> Photos:
    """Photos from embeddings, all or those in ``names``.

    The person is in the folder that `facepipe.files.identity_of` says; a gallery, in ``file``, knows people by name.
    Without a depth nobody is named, as among distractors.

    Raises:
        DatasetError: a photo is missing.
    """
    if names is not None:
        embeddings = embeddings.take(find_rows(embeddings, [without_extension(name) for name in names]))
    who: list[str] = []
    remark = ""
    if identity_depth is not None:
        who, remark = people_in(file, embeddings, identity_depth) if file else people_of(embeddings, identity_depth)
    about = embeddings.take([])
    return Photos(embeddings.paths, tuple(who), lambda: iter([_clean(embeddings)]), about, remark=remark)


def photos_of_features(
    root: Path, ending: str, names: Sequence[str] | None = None, identity_depth: int | None = 1
) -> Photos:
    """`photos_of_embeddings` of photos with feature files; a coordinate that marks noise is removed.

    Raises:
        DatasetError: there are no feature files.
    """
    listed = tuple(names if names is not None else files.list_features(root, ending))
    first = files.read_features(root, listed[:_INSPECTED], ending)
    marked, model = files.has_noise_coordinate(first), f"features {ending}"

    def split(block: np.ndarray) -> tuple[Embeddings, np.ndarray]:
        features, noisy = files.split_noise(block) if marked else (block, np.zeros(len(block), bool))
        return Embeddings(features, model), noisy

    def blocks() -> Iterator[tuple[Embeddings, np.ndarray]]:
        for block in files.feature_blocks(root, listed, ending):
            yield split(block)

    layout = Layout(identity_depth or 1)
    who = () if identity_depth is None else tuple(layout.identity(name) for name in listed)
    return Photos(listed, who, blocks, split(first[:0])[0], remark=layout.remark())


def clean_probes(probes: Photos, noises: Collection[str] | None, how: str) -> Photos:
    """Replace wrongly labelled probes by the centre of their person (``centre``), or leave them out (``drop``).

    Raises:
        DatasetError: a person has no clean photo (``centre``).
    """
    if noises is None:
        return probes
    noisy, photos = on_list(probes.names, noises, 1), probes.embeddings()
    if how == "centre":
        # A centre has no confidence, so none of the probes can have one.
        mu = replace_noisy_probes(photos.mu, probes.person(), noisy)
        clean = replace(photos, mu=mu, kappa=None, sigma2=None) if noisy.any() else photos
        names, who = probes.names, probes.people
    else:
        clean, kept = photos.take(~noisy), np.flatnonzero(~noisy)
        names, who = (tuple(each[row] for row in kept) for each in (probes.names, probes.people))
    cleaning = f"{int(noisy.sum())} by {how}"
    return replace(probes, names=names, people=who, blocks=lambda: iter([_clean(clean)]), cleaning=cleaning)


def export_features(
    folder: Path, algorithm: str, probes: Photos, distractors: Photos, noises: Collection[str], marked: bool
) -> None:
    """Write unit features in the kit's layout: ``facescrub/NAME/photo.png_ALGORITHM.bin``, ``megaface/A/B/photo…``.

    Args:
        folder: output folder.
        algorithm: name used in file names.
        probes, distractors: photos to write.
        noises: distractors to mark as noise.
        marked: whether to append the coordinate that marks noise.
    """
    for photos, inner, depth in ((probes, "facescrub", 2), (distractors, "megaface", 3)):
        noisy = on_list(photos.names, noises, 3) if depth == 3 else np.zeros(len(photos.names), bool)
        done = 0
        for block, disabled in photos.blocks():
            here = slice(done, done + len(block))
            rows = unit(block.mu)
            rows = files.with_noise(rows, noisy[here] | disabled) if marked else rows
            for name, row in zip(photos.names[here], rows, strict=True):
                tail = "/".join(name.replace("\\", "/").split("/")[-depth:])
                files.write_feature(folder / inner / f"{tail}_{algorithm}.bin", row)
            done += len(block)


def evaluate_megaface(
    probes: Photos,
    distractors: Photos,
    noises: Collection[str] = (),
    sizes: Sequence[int] = (),
    fars: Sequence[float] = MEGAFACE_FARS,
    ranks: Sequence[int] = MEGAFACE_RANKS,
    settings: dict[str, Any] | None = None,
    score: str = "cosine",
) -> MegafaceResult:
    """Rank-1 for each number of distractors, and TAR at FAR with the largest, see `megaface_figures`.

    Args:
        probes, distractors: by the same model.
        noises: distractors to ignore.
        sizes: numbers of distractors; empty means powers of ten from 10, and all.
        fars, ranks: of the reported figures.
        settings: stored in the result.
        score: see `facepipe.score.pairs.score_pairs`.

    Raises:
        DatasetError: models differ, there are too few distractors, nobody has two photos, or probes replaced by
            centres would be scored by a confidence.
        EmbeddingsError: the embeddings lack what the score needs.
    """
    known = probes.embeddings()
    if score != "cosine" and _has_confidence(probes.about) and not _has_confidence(known):
        use = parameter("noisy_probes", "drop")
        raise DatasetError(f"noisy probes: a centre that replaces a photo has no confidence; use {use}")
    of_probes, of_distractors = probes.about, distractors.about
    if of_probes.flip != of_distractors.flip or not same_model(of_probes.model, of_distractors.model):
        raise DatasetError(
            f"probes of {of_probes.model} (flip {of_probes.flip}), distractors of {of_distractors.model} "
            f"(flip {of_distractors.flip}): {remedy(of_probes.model, of_distractors.model)}"
        )
    count = len(distractors.names)
    wanted = sorted(set(sizes)) or sorted({size for power in range(1, 9) if (size := 10**power) < count} | {count})
    listed = on_list(distractors.names, noises, 3)

    def blocks() -> Iterator[tuple[Embeddings, np.ndarray]]:
        done = 0
        for block, disabled in distractors.blocks():
            yield block, disabled | listed[done : done + len(block)]
            done += len(block)

    figures = megaface_figures(known, probes.person(), blocks(), wanted, ranks, fars, score)
    data = names_digest([_tails(probes.names, 2), _tails(distractors.names[: wanted[-1]], 3), sorted(noises)])
    findings = joined_findings((of_probes.findings, of_distractors.findings))
    about = replace(
        of_probes,
        precision=joined_record((of_probes.precision, of_distractors.precision)),
        engine=joined_record((of_probes.engine, of_distractors.engine)),
        findings=findings,
    )
    more = {"score": score, "noisy_probes": probes.cleaning, "noise_list": len(noises), "data": data}
    return MegafaceResult(
        protocol="megaface",
        settings=settings_of(about, **more, **(settings or {})),
        tar=figures.sizes[-1].tar,
        cmc=figures.sizes[-1].cmc,
        figures=figures,
    )


def _clean(embeddings: Embeddings) -> tuple[Embeddings, np.ndarray]:
    return embeddings, np.zeros(len(embeddings), bool)


def _has_confidence(embeddings: Embeddings) -> bool:
    return embeddings.kappa is not None or embeddings.sigma2 is not None


def _tails(names: Sequence[str], depth: int) -> list[str]:
    """Names as in the lists, whatever the photos' folder and format."""
    return ["/".join(without_extension(name).split("/")[-depth:]) for name in names]
