"""MegaFace from embeddings or from the kit's feature files: photos with features, cleaned, written, measured."""

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
from facepipe.embedding.precision import joined_record
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

_LOOKED_AT = 64

Blocks = Callable[[], Iterator[tuple[Embeddings, np.ndarray]]]
"""→ embeddings of n photos and bool n, block by block: the latter are noise."""


@dataclass(frozen=True)
class Photos:
    """Probes or distractors.

    Attributes:
        names: paths.
        people: who is on each photo, empty where that is not known; asked of probes only.
        blocks: their embeddings in this order.
        about: model and flip, as embeddings without rows.
        cleaning: what was done about wrongly labelled probes.
        remark: where the folders look as if another depth were meant, a line.
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
        """All of them."""
        return join([block for block, _ in self.blocks()])


@dataclass(frozen=True, kw_only=True)
class MegafaceResult(Result):
    """Figures with the largest number of distractors, and for each number.

    Attributes:
        tar: TAR at each FAR.
        cmc: rank (as text) → share recognised.
        figures: for each number of distractors.
        unreadable: photos that could not be read, of ``probes`` and ``distractors``.
        passed_over: what in the two folders was not looked at, by reason, with ``count`` and ``example``.
    """

    tar: tuple[OperatingPoint, ...]
    cmc: dict[str, float]
    figures: MegafaceFigures = field(metadata=FLAT)
    unreadable: dict[str, int] = field(default_factory=dict, metadata=IF_ANY)
    passed_over: dict[str, dict[str, Any]] = field(default_factory=dict, metadata=IF_ANY)

    def summary(self) -> Iterator[Summary]:
        """As of `Result`."""
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
    """Photos of embeddings, all or those that ``names`` lists.

    The person is in the folder that `facepipe.files.identity_of` says; a gallery, in ``file``, knows people by name.
    Without a depth nobody is named, as among distractors.

    Raises:
        DatasetError: one is not there.
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
    """`photos_of_embeddings` of photos with feature files; a coordinate that marks noise is taken off.

    Raises:
        DatasetError: there is none.
    """
    listed = tuple(names if names is not None else files.list_features(root, ending))
    first = files.read_features(root, listed[:_LOOKED_AT], ending)
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
        DatasetError: nothing clean is left of a person (``centre``).
    """
    if noises is None:
        return probes
    noisy, photos = on_list(probes.names, noises, 1), probes.embeddings()
    if how == "centre":
        # A centre is no photo: it has no confidence, so that none of the probes can have one.
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
        probes, distractors: of one model.
        noises: distractors that match nobody.
        sizes: numbers of distractors; none stands for powers of ten from 10, and all.
        fars, ranks: of the figures.
        settings: to be kept in the result.
        score: see `facepipe.score.pairs.score_pairs`.

    Raises:
        DatasetError: models differ, too few distractors, nobody has two photos, or centres in place of probes are to
            be scored by a confidence.
        EmbeddingsError: the embeddings lack what the score needs.
    """
    known = probes.embeddings()
    if score != "cosine" and _sure(probes.about) and not _sure(known):
        use = parameter("noisy_probes", "drop")
        raise DatasetError(f"noisy probes: a centre in place of a photo has no confidence; use {use}")
    ours, theirs = probes.about, distractors.about
    if ours.flip != theirs.flip or not same_model(ours.model, theirs.model):
        raise DatasetError(
            f"probes of {ours.model} (flip {ours.flip}), distractors of {theirs.model} (flip {theirs.flip}): "
            f"{remedy(ours.model, theirs.model)}"
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
    findings = joined_findings((ours.findings, theirs.findings))
    either = replace(
        ours,
        precision=joined_record((ours.precision, theirs.precision)),
        engine=joined_record((ours.engine, theirs.engine)),
        findings=findings,
    )
    more = {"score": score, "noisy_probes": probes.cleaning, "noise_list": len(noises), "data": data}
    return MegafaceResult(
        protocol="megaface",
        settings=settings_of(either, **more, **(settings or {})),
        tar=figures.sizes[-1].tar,
        cmc=figures.sizes[-1].cmc,
        figures=figures,
    )


def _clean(embeddings: Embeddings) -> tuple[Embeddings, np.ndarray]:
    return embeddings, np.zeros(len(embeddings), bool)


def _sure(embeddings: Embeddings) -> bool:
    return embeddings.kappa is not None or embeddings.sigma2 is not None


def _tails(names: Sequence[str], depth: int) -> list[str]:
    """Names as the lists have them, whatever folder and form the photos come in."""
    return ["/".join(without_extension(name).split("/")[-depth:]) for name in names]
