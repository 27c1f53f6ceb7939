"""MegaFace: rank-1 and TAR against up to a million distractors."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from facepipe.datasets.templates.megaface_features import read_list, read_noises
from facepipe.embedding.provenance import mixing_remark
from facepipe.errors import DatasetError
from facepipe.evaluation.source import Source, source_of
from facepipe.files import PassedOver
from facepipe.images import list_images
from facepipe.protocols.megaface.noise import on_list
from facepipe.protocols.megaface.photos import (
    MegafaceResult,
    Photos,
    clean_probes,
    evaluate_megaface,
    export_features,
    photos_of_embeddings,
    photos_of_features,
)
from facepipe.tables import counted


@dataclass(frozen=True)
class Export:
    """Output folder for features in the kit's layout (``facescrub/``, ``megaface/``), and the name in their files."""

    folder: Path
    algorithm: str = "facepipe"


def megaface(
    source: Source | Sequence[Path | str],
    *,
    ending: str | None = None,
    probe_list: Path | None = None,
    distractor_list: Path | None = None,
    sizes: Sequence[int] = (),
    probe_noises: Path | None = None,
    distractor_noises: Path | None = None,
    noisy_probes: str = "centre",
    export: Export | None = None,
    score: str = "cosine",
    identity_depth: int = 1,
) -> MegafaceResult:
    """Rank-1 and TAR at FAR 1e-6 against many distractors.

    Args:
        source: two paths, probes and distractors. Embeddings are saved to two files, ``NAME-probes`` and
            ``NAME-distractors``.
        ending: both are folders of the kit's feature files with this ending.
        probe_list, distractor_list: photos to use; None: all.
        sizes: numbers of distractors; empty means powers of ten from 10, and all.
        probe_noises: list of wrongly labelled probes.
        distractor_noises: list of distractors that show people among the probes.
        noisy_probes: ``centre`` or ``drop``, see `facepipe.protocols.megaface.photos.clean_probes`.
        export: where to write the features for the kit.
        score: see `facepipe.score.score_pairs`.
        identity_depth: which folder stands for the person on a probe, see `facepipe.files.identity_of`.

    Raises:
        FacepipeError: lists or images are missing or damaged, or the score needs data that the embeddings lack.
    """
    both = source_of(source)
    passed, unreadable = PassedOver(), dict[str, int]()
    probes = _photos(both, 0, ending, probe_list, passed, unreadable, identity_depth)
    distractors = _photos(both, 1, ending, distractor_list, passed, unreadable, None)
    if probes.remark:
        both.note(f"{both.paths[0]}: {probes.remark}")
    wrong = read_noises(probe_noises) if probe_noises else None
    noises = read_noises(distractor_noises) if distractor_noises else frozenset()
    for path, names, photos, depth in ((probe_noises, wrong, probes, 1), (distractor_noises, noises, distractors, 3)):
        if path is not None:
            count = int(on_list(photos.names, names or (), depth).sum())
            both.note(f"{path}: {count} of {counted(len(photos.names), 'photo')} on this list")
    probes = clean_probes(probes, wrong, noisy_probes)
    if export is not None:
        marked = probe_noises is not None or distractor_noises is not None
        export_features(export.folder, export.algorithm, probes, distractors, noises, marked)
        counts = f"{counted(len(probes.names), 'probe')} and {counted(len(distractors.names), 'distractor')}"
        both.note(f"{export.folder}: features of {counts}")
    remark = mixing_remark(probes.about.provenance, distractors.about.provenance)
    if remark:
        both.note(f"{', '.join(map(str, both.paths))}: {remark}")
    result = evaluate_megaface(probes, distractors, noises, sizes, score=score)
    return replace(result, unreadable=unreadable, passed_over=passed.to_dict())


def _photos(
    source: Source,
    number: int,
    ending: str | None,
    wanted: Path | None,
    passed: PassedOver,
    unreadable: dict[str, int],
    identity_depth: int | None,
) -> Photos:
    """The probes (0) or distractors (1); files of their folder that are left out are reported and counted."""
    path, what = source.paths[number], ("probes", "distractors")[number]
    names = read_list(wanted) if wanted else None
    if ending is not None:
        if source.models or source.flip or source.already_aligned or source.save:
            raise DatasetError(f"{path}: with an ending, features are read; model, flip rule and save do not apply")
        return photos_of_features(path, ending, names, identity_depth)
    save = source.save and source.save.with_name(f"{source.save.stem}-{what}{source.save.suffix}")
    part = replace(source, paths=(path,), save=save)
    skipped = PassedOver()
    embeddings = part.listed(lambda folder: list(list_images(folder, passed=skipped)), what)
    if skipped:
        source.note(f"{path}: {skipped.line()}")
        passed.update(skipped)
    if embeddings.failed:
        unreadable[what] = len(embeddings.failed)
        first, reason = embeddings.failed[0]
        message = f"{counted(len(embeddings.failed), 'photo')} left out that could not be read"
        source.note(f"{path}: {message}, such as {first}: {reason}")
    try:
        if path.is_dir():
            embeddings = replace(embeddings, roots=(str(path),))
        return photos_of_embeddings(embeddings, names, identity_depth, None if path.is_dir() else path)
    except DatasetError as error:
        raise DatasetError(f"{wanted}: {error}") from error
