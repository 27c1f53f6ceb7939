"""How well a confidence measure selects the pairs to reject (ProbFace's table, AUERC)."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from facepipe.cli import options
from facepipe.cli.choices import score as score_option
from facepipe.cli.door import PICTURES, PLOTS, Output, door
from facepipe.cli.eval import verification_options as verification
from facepipe.cli.eval.source_options import SAVE, source_options, source_path
from facepipe.cli.face_tools import note_mixed
from facepipe.cli.screen import print_json
from facepipe.cli.table import show_summary
from facepipe.errors import DatasetError
from facepipe.tables import counted

if TYPE_CHECKING:
    from facepipe.embedding import Embeddings
    from facepipe.evaluation import Source


@click.command("risk")
@source_path
@verification.pairs_list
@click.option(
    "--confidence",
    "confidences",
    multiple=True,
    type=click.Choice(["kappa", "sigma2", "detection_score", "norm", "random"]),
    help="Confidence measure of faces; may be repeated [default: all available].",
)
@click.option(
    "--pair-rule",
    type=click.Choice(["max", "sum"]),
    default="max",
    show_default=True,
    help="Uncertainty of a pair: that of the worse face, or the sum of both.",
)
@score_option
@click.option(
    "--fmr",
    type=options.RATE,
    default=1e-3,
    show_default=True,
    help="False-match rate that fixes the threshold.",
)
@verification.damage
@click.option("--seed", type=int, default=0, show_default=True, help="Random seed of the confidence 'random'.")
@click.option(
    "--with-results",
    "--beside",
    "others",
    cls=options.RenamedOption,
    multiple=True,
    type=click.Path(path_type=Path),
    help="Add the confidences of another head on the same backbone, from its --json; may be repeated.",
)
@click.option("--plot", type=options.output_path, help="Draw the curves: .png, .jpg, .svg or .pdf.")
@click.option("--csv", "csv_file", type=options.output_path, help="Write the curves and the table as CSV.")
@click.option("--sheet", type=options.output_path, help="Picture of faces sorted by the first --confidence.")
@door(
    SAVE,
    Output("plot", PLOTS),
    Output("csv_file", (".csv",)),
    Output("sheet", PICTURES),
    reads=("paths", "pairs", "others"),
)
@source_options
@options.as_json
def command(
    source: "Source",
    pairs: Path,
    form: str,
    confidences: tuple[str, ...],
    pair_rule: str,
    score: str,
    fmr: float,
    damage: str | None,
    seed: int,
    others: tuple[Path, ...],
    plot: Path | None,
    csv_file: Path | None,
    sheet: Path | None,
    as_json: bool,
) -> None:
    """Risk-controlled recognition: how well a confidence measure selects the pairs to reject.

    PATH is a folder of raw images, of aligned crops (with --already-aligned), or a file of embeddings. Reports
    accuracy with 0, 10, 20 and 30 % of the pairs rejected (ProbFace's table), and the false non-match rate at
    a fixed threshold over the share of pairs rejected, with the area under that curve (AUERC).
    """
    from facepipe.embedding.provenance import Provenance
    from facepipe.evaluation.protocols.risk import risk_and_embeddings
    from facepipe.protocols.risk.join_results import add_confidences
    from facepipe.protocols.risk.risk_controlled import RiskResult
    from facepipe.protocols.saved_result import read_json

    if plot is not None:
        from facepipe.report.figure_file import require_plot
        from facepipe.report.risk_curves import plot_error_reject

        require_plot(plot)
    before = [(path, RiskResult.from_dict(read_json(path), path)) for path in others]
    if sheet is not None and source.has_embeddings:
        raise DatasetError(f"{sheet}: a sheet of faces needs the images; give their folder as PATH")
    result, embeddings = risk_and_embeddings(
        source, pairs, form=form, confidences=confidences, pair_rule=pair_rule, score=score, fmr=fmr, damage=damage,
        seed=seed,
    )  # fmt: skip
    shown = next(iter(result.table))
    for path, other in before:
        note_mixed(path, *(Provenance.recorded(some.settings) for some in (result, other)))
        result = add_confidences(result, other, path)
    if csv_file is not None:
        from facepipe.report.risk_curves import write_risk_csv

        write_risk_csv(csv_file, result)
    if plot is not None:
        plot_error_reject(plot, result.curves, f"{result.models}, {counted(result.pairs, 'pair')}")
    if sheet is not None:
        _sheet(sheet, embeddings, source, shown, damage)
    if as_json:
        print_json(result.to_dict())
    else:
        show_summary(result.summary())


def _sheet(path: Path, embeddings: "Embeddings", source: "Source", confidence: str, damage: str | None) -> None:
    from facepipe.report.risk_sheet import write_sheet

    detector = None if source.already_aligned else source.detector()
    write_sheet(path, embeddings, confidence, detector, source.faces, damage)
