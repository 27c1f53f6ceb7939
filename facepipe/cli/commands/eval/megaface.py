"""MegaFace: rank-1 and TAR against up to a million distractors."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from facepipe.cli import options
from facepipe.cli.choices import score as score_option
from facepipe.cli.door import TABLES, Output, door
from facepipe.cli.eval.source_options import source_options
from facepipe.cli.made import is_embeddings
from facepipe.cli.screen import print_json
from facepipe.cli.table import show_summary

if TYPE_CHECKING:
    from facepipe.evaluation import Source

_PATH = click.Path(path_type=Path)


def _saved(path: Path) -> tuple[Path, ...]:
    return tuple(path.with_name(f"{path.stem}-{what}{path.suffix}") for what in ("probes", "distractors"))


def _exported(folder: Path) -> tuple[Path, ...]:
    return folder / "facescrub", folder / "megaface"


@click.command("megaface")
@click.argument("paths", metavar="PROBES DISTRACTORS", nargs=2, required=True, type=_PATH)
@click.option("--ending", help="Both are folders of the kit's feature files with this ending, such as _sface.bin.")
@click.option(
    "--probe-list", type=_PATH, help="Probes to use: the kit's JSON, or a text file with one per line [default: all]."
)
@click.option("--distractor-list", type=_PATH, help="Distractors to use, in this order [default: all].")
@click.option(
    "--size",
    "sizes",
    multiple=True,
    type=click.IntRange(1),
    help="Number of distractors; may be repeated [default: powers of ten from 10, and all].",
)
@click.option("--probe-noises", type=_PATH, help="List of wrongly labelled probes.")
@click.option("--distractor-noises", type=_PATH, help="List of distractors that show people among the probes.")
@click.option(
    "--noisy-probes",
    type=click.Choice(["centre", "drop"]),
    default="centre",
    show_default=True,
    help="Replace them by the centre of the person's other photos, as insightface does, or leave them out.",
)
@click.option(
    "--export",
    type=options.output_path,
    help="Write the features in the kit's format, to facescrub/ and megaface/ in this folder.",
)
@click.option("--algorithm", default="facepipe", show_default=True, help="Algorithm name in --export's file names.")
@score_option
@options.identity_depth
@door(
    Output("save", TABLES, is_replaceable=is_embeddings, stands_for=_saved),
    Output("export", stands_for=_exported),
    reads=("paths", "probe_list", "distractor_list", "probe_noises", "distractor_noises"),
    walks=("paths",),
)
@source_options
@options.as_json
def command(
    source: "Source",
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
    identity_depth: int,
    as_json: bool,
) -> None:
    """Evaluate on MegaFace: rank-1 and TAR at FAR 1e-6 against many distractors.

    PROBES and DISTRACTORS are folders of raw images, of aligned crops (with --already-aligned), files of embeddings, or
    with --ending folders of the development kit's feature files, which are read in blocks. Probes are in one folder
    per person. --save FILE writes FILE-probes and FILE-distractors.
    """
    from facepipe import evaluation
    from facepipe.evaluation.protocols.megaface import Export

    result = evaluation.megaface(
        source,
        ending=ending,
        probe_list=probe_list,
        distractor_list=distractor_list,
        sizes=sizes,
        probe_noises=probe_noises,
        distractor_noises=distractor_noises,
        noisy_probes=noisy_probes,
        export=None if export is None else Export(export, algorithm),
        score=score,
        identity_depth=identity_depth,
    )
    if as_json:
        print_json(result.to_dict())
    else:
        show_summary(result.summary())
