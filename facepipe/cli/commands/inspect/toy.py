"""SphereFace's toy picture: 2-D and 3-D features under softmax and m = 1 … 4."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facepipe.cli import options
from facepipe.cli.door import PLOTS, Output, door
from facepipe.cli.screen import note, print_json, progress
from facepipe.cli.table import show_table
from facepipe.tables import Column, figures

if TYPE_CHECKING:
    from facepipe.train.toy import ToyFeatures


@click.command("toy")
@click.option(
    "--output", "-o", type=options.output_path, default="toy.png", show_default=True, help="Picture to write."
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Random seed of weights and order."
)
@click.option("--steps", type=click.IntRange(min=1), default=1000, show_default=True, help="Training steps per run.")
@options.as_json
@door(Output("output", PLOTS))
def command(output: Path, seed: int, steps: int, as_json: bool) -> None:
    """Draw SphereFace's toy picture.

    Trains ten small networks on scikit-learn's handwritten digits, with features of two and
    three dimensions, under softmax and A-Softmax with m = 1 … 4, and draws the features, their directions and the
    angles to the classes' mean directions: a larger m gives narrower classes. Takes a minute or two on a CPU.
    """
    from facepipe.report.figure_file import require_plot
    from facepipe.report.toy_plot import plot_toy
    from facepipe.train.toy import TOY_LOSSES, train_toy

    require_plot(output)
    found: dict[int, list[ToyFeatures]] = {2: [], 3: []}
    with progress("runs", 2 * len(TOY_LOSSES)) as advance:
        for loss in TOY_LOSSES:
            for dim, toys in found.items():
                toys.append(train_toy(loss, dim, seed, steps))
                advance(1)
    plot_toy(found[2], found[3], output)
    if as_json:
        print_json([_row(toy) for toys in found.values() for toy in toys])
    else:
        _show(found)
    note(f"picture: {output}")


def _row(toy: "ToyFeatures") -> dict[str, Any]:
    return {
        "loss": toy.loss.title,
        "dim": toy.features.shape[1],
        "fisher": toy.fisher,
        "accuracy": toy.accuracy,
    }


def _show(found: dict[int, list["ToyFeatures"]]) -> None:
    show_table(
        (Column("loss"), *figures("dimensions", "angular Fisher score", "accuracy")),
        [
            (toy.loss.title, dim, f"{toy.fisher:.4f}", f"{100 * toy.accuracy:.1f} %")
            for dim, toys in found.items()
            for toy in toys
        ],
    )
