"""Check whether the probabilities of 'facepipe compare' are calibrated."""

from pathlib import Path

import click

from facepipe.cli import options
from facepipe.cli.choices import deciding_score
from facepipe.cli.door import PLOTS, Output, door
from facepipe.cli.screen import note, print_json, say
from facepipe.tables import counted


@click.command("reliability")
@click.argument("embeddings", type=click.Path(path_type=Path))
@click.option("--pairs", "pairs_file", required=True, type=click.Path(path_type=Path), help="List of pairs.")
@options.pairs_format("Format of the list, as for 'facepipe eval pairs'.")
@deciding_score
@click.option("--output", "-o", type=options.output_path, help="Write a plot.")
@options.model
@options.as_json
@door(Output("output", PLOTS), reads=("embeddings", "pairs_file"))
def command(
    embeddings: Path, pairs_file: Path, form: str, score: str, output: Path | None, model: str | None, as_json: bool
) -> None:
    """Check whether the probabilities of 'facepipe compare' are calibrated.

    EMBEDDINGS is a file of 'facepipe embed' or of 'facepipe eval ... --save' by --model. Its card's curve gives each
    pair of the list a probability, with the list's share of genuine pairs as prior; the table shows how often pairs
    with similar probabilities are genuine. Cllr is the cost of the likelihood ratios in bits: 0 is perfect, 1 is no
    better than chance.
    """
    import numpy as np

    from facepipe.datasets.pairs.any_pairs import read_pairs
    from facepipe.embedding import load_embeddings
    from facepipe.embedding.identity import remedy, same_model
    from facepipe.errors import EmbeddingsError, ModelError
    from facepipe.protocols.risk.stated_probability import stated_probability
    from facepipe.protocols.rows import find_rows
    from facepipe.score import score_pairs
    from facepipe.score.reliability import reliability
    from facepipe.zoo import DEFAULT, locate

    if output is not None:
        from facepipe.report.figure_file import require_plot

        require_plot(output)
    card, _ = locate(model or DEFAULT)
    loaded = load_embeddings(embeddings)
    if not same_model(loaded.model, card.identity):
        what = "give it with --model" if model is None else remedy(loaded.model, card.identity)
        raise EmbeddingsError(f"{embeddings}: made by {loaded.model}, not by {card.identity}; {what}")
    curve = card.probability_of(score, loaded.flip)
    if curve is None:
        raise ModelError(f"model {card.name} has no probabilities for {score} scores with flip {loaded.flip}; "
                         f"'facepipe calibrate {card.name} PAIRS|CROPS -o {card.name}.toml' "
                         "measures them")  # fmt: skip
    pairs = read_pairs(pairs_file, form)
    rows = find_rows(loaded, pairs.names)
    sides = rows[pairs.left], rows[pairs.right]
    scores = score_pairs(score, loaded, *sides)
    prior = float(np.mean(pairs.same))
    probabilities = stated_probability(curve, scores, loaded, *sides, prior)
    found = reliability(probabilities, np.asarray(pairs.same))
    columns = zip(found.stated.tolist(), found.observed.tolist(), found.pairs.tolist(), strict=True)
    bins = [{"stated": stated, "observed": observed, "pairs": count} for stated, observed, count in columns]
    answer = {"model": card.identity, "score": score, "pairs": len(scores), "prior": prior,
              "expected_error": found.expected_error, "middle_error": found.middle_error,
              "middle_pairs": found.middle_pairs, "brier": found.brier, "log_loss_bits": found.log_loss,
              "cllr_bits": found.cllr, "bins": bins, "fitted_on": curve.fitted_on}  # fmt: skip
    if output is not None:
        from facepipe.report.score_plots import plot_reliability

        plot_reliability(found, f"{card.name} on {pairs_file.stem}", output)
        note(f"picture: {output}")
    if as_json:
        print_json(answer)
        return
    say(f"{counted(len(scores), 'pair')}, {100 * prior:.3g} % genuine, {card.identity}")
    for one in bins:
        line = f"  stated {100 * one['stated']:6.2f} %   observed {100 * one['observed']:6.2f} %"
        say(f"{line}   {one['pairs']:6} pairs")
    middle = f"{100 * found.middle_error:.1f} % ({counted(found.middle_pairs, 'pair')})"
    say(f"expected calibration error {100 * found.expected_error:.2f} %, between 10 and 90 % {middle}")
    say(f"Brier {found.brier:.4f}, {found.log_loss:.4f} bits per pair, Cllr {found.cllr:.4f}")
    say(f"fitted on: {curve.fitted_on}")
