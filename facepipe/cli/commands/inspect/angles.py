"""Angles within and between people, and the angular Fisher score."""

from pathlib import Path

import click

from facepipe.cli import options
from facepipe.cli.door import PLOTS, Output, door
from facepipe.cli.screen import note, print_json, say
from facepipe.tables import counted


@click.command("angles")
@click.argument("embeddings", type=click.Path(path_type=Path))
@click.option("--output", "-o", type=options.output_path, help="Write a histogram of the angles.")
@click.option(
    "--pairs",
    type=click.IntRange(min=1),
    default=100_000,
    show_default=True,
    help="Maximum number of pairs of each kind.",
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Random seed for choosing pairs."
)
@options.identity_depth
@options.as_json
@door(Output("output", PLOTS), reads=("embeddings",))
def command(embeddings: Path, output: Path | None, pairs: int, seed: int, identity_depth: int, as_json: bool) -> None:
    """Show the angles within and between people.

    EMBEDDINGS is a gallery, or a file of 'facepipe embed' over folders per person, IDENTITY/image. Reports the angular
    Fisher score (SphereFace, Eq. 11; lower is better) and the median of both kinds of angles.
    """
    import numpy as np

    from facepipe.embedding import load_embeddings
    from facepipe.embedding.people import people_in
    from facepipe.errors import EmbeddingsError
    from facepipe.losses import angular_fisher_score
    from facepipe.score.angles import pair_angles

    if output is not None:
        from facepipe.report.figure_file import require_plot

        require_plot(output)
    loaded = load_embeddings(embeddings)
    if not len(loaded):
        raise EmbeddingsError(f"{embeddings}: contains no embeddings")
    people, remark = people_in(embeddings, loaded, identity_depth)
    nobody = sum(not name for name in people)
    if nobody:
        loaded, people = loaded.take([bool(name) for name in people]), [name for name in people if name]
        lost = counted(nobody, "photo")
        note(f"{embeddings}: {lost} not in a folder at depth {identity_depth} left out", style="yellow")
    if remark:
        note(f"{embeddings}: {remark}", style="yellow")
    if not people:
        raise EmbeddingsError(f"{embeddings}: no photo is in a folder at depth {identity_depth}; see --identity-depth")
    identity = np.unique(people, return_inverse=True)[1].astype(np.int64)
    try:
        angles = pair_angles(loaded.mu, identity, pairs, seed)
    except EmbeddingsError as error:
        raise EmbeddingsError(f"{embeddings}: {error}") from error
    answer = {
        "model": loaded.model,
        "images": len(loaded),
        "identities": int(identity.max()) + 1,
        "without_identity": nobody,
        "fisher": float(angular_fisher_score(loaded.mu, identity)),
        "same_degrees": float(np.median(angles.same)),
        "different_degrees": float(np.median(angles.different)),
        "same_pairs": len(angles.same),
        "different_pairs": len(angles.different),
    }
    if output is not None:
        from facepipe.report.score_plots import plot_angles

        plot_angles(angles, f"{loaded.model}, Fisher {answer['fisher']:.3f}", output)
        note(f"picture: {output}")
    if as_json:
        print_json(answer)
        return
    say(f"{counted(len(loaded), 'image')} of {counted(int(identity.max()) + 1, 'person')}, {loaded.model}")
    say(f"angular Fisher score {answer['fisher']:.4f}")
    say(f"median angle: {answer['same_degrees']:.1f}° same, {answer['different_degrees']:.1f}° different")
