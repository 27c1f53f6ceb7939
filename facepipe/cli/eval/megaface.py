"""``facepipe eval megaface``."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from facepipe.cli import options
from facepipe.cli.eval import verification_options as verification
from facepipe.cli.eval.source import Source, source_options
from facepipe.cli.mixed_precision import tell_mixed
from facepipe.cli.screen import note, print_json
from facepipe.errors import DatasetError

if TYPE_CHECKING:
    from facepipe.protocols import Result
    from facepipe.protocols.megaface.photos import Photos

_PATH = click.Path(path_type=Path)


@click.command("megaface")
@click.argument("paths", metavar="PROBES DISTRACTORS", nargs=2, required=True, type=_PATH)
@click.option("--ending", help="Both are folders of the kit's feature files with this ending, such as _sface.bin.")
@click.option("--probe-list", type=_PATH, help="Which probes: the kit's JSON, or text with one a line [default: all].")
@click.option("--distractor-list", type=_PATH, help="Which distractors, in this order [default: all].")
@click.option(
    "--size",
    "sizes",
    multiple=True,
    type=click.IntRange(1),
    help="Number of distractors; may be repeated [default: powers of ten from 10, and all].",
)
@click.option("--probe-noises", type=_PATH, help="List of wrongly labelled probes.")
@click.option("--distractor-noises", type=_PATH, help="List of distractors that show people of the probes.")
@click.option(
    "--noisy-probes",
    type=click.Choice(["centre", "drop"]),
    default="centre",
    show_default=True,
    help="Put the centre of the person's other photos in their place, as insightface does, or leave them out.",
)
@click.option("--export", type=_PATH, help="Write the features in the kit's form: facescrub/ and megaface/ in here.")
@click.option("--algorithm", default="facepipe", show_default=True, help="Name in the files of --export.")
@verification.score
@source_options
@options.as_json
def command(
    source: Source,
    ending: str | None,
    probe_list: Path | None,
    distractor_list: Path | None,
    sizes: tuple[int, ...],
    probe_noises: Path | None,
    distractor_noises: Path | None,
    noisy_probes: str,
    export: Path | None,
    algorithm: str,
    score: str,
    as_json: bool,
) -> None:
    """Evaluate on MegaFace: rank-1 and TAR at FAR 1e-6 against many distractors.

    PROBES and DISTRACTORS are folders of raw images, of aligned crops (with --already-aligned), files of embeddings, or
    with --ending folders of the development kit's feature files, which are read block by block. Probes lie in a folder
    for each person. With --save FILE, FILE-probes and FILE-distractors are kept.
    """
    from facepipe.datasets.templates.megaface_features import read_noises
    from facepipe.protocols.megaface.photos import clean_probes, evaluate_megaface, export_features

    probes = _photos(source, 0, ending, probe_list)
    distractors = _photos(source, 1, ending, distractor_list)
    probes = clean_probes(probes, read_noises(probe_noises) if probe_noises else None, noisy_probes)
    noises = read_noises(distractor_noises) if distractor_noises else frozenset()
    if export is not None:
        marked = probe_noises is not None or distractor_noises is not None
        export_features(export, algorithm, probes, distractors, noises, marked)
        note(f"{export}: features of {len(probes.names)} probes and {len(distractors.names)} distractors")
    tell_mixed(", ".join(map(str, source.paths)), probes.about.precision, distractors.about.precision)
    result = evaluate_megaface(probes, distractors, noises, sizes, score=score)
    if as_json:
        print_json(result.as_json())
    else:
        _show(result)


def _photos(source: Source, number: int, ending: str | None, wanted: Path | None) -> "Photos":
    from facepipe.datasets.templates.megaface_features import read_list
    from facepipe.images import list_images
    from facepipe.protocols.megaface.photos import photos_of_embeddings, photos_of_features

    path, what = source.paths[number], ("probes", "distractors")[number]
    names = read_list(wanted) if wanted else None
    if ending is not None:
        if source.models or source.flip or source.already_aligned or source.save:
            raise DatasetError(f"{path}: with --ending features are read; --model, --flip, --save do not apply")
        return photos_of_features(path, ending, names)
    save = source.save and source.save.with_name(f"{source.save.stem}-{what}{source.save.suffix}")
    own = replace(source, paths=(path,), save=save)
    return photos_of_embeddings(own.listed(lambda folder: list(list_images(folder)), what), names)


def _show(result: "Result") -> None:
    from facepipe.cli.eval.search_table import show_cmc, show_points

    figures = result.figures
    about = f"{result.settings['model']}, score {result.settings['score']}"
    title = f"MegaFace, {about}, {figures['probes']} probes of {figures['people']} people"
    for row in figures["sizes"]:
        noise = f", {row['noise']} of them noise" if row["noise"] else ""
        what = f"{row['distractors']} distractors{noise}"
        show_cmc(row["cmc"], f"{title}, {what}")
    show_points(figures["tar"], "far", "tar", f"{title}, {what}")
