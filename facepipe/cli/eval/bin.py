"""``facepipe eval bin``."""

from dataclasses import replace
from pathlib import Path

import click

from facepipe.cli import options
from facepipe.cli.eval import verification_options as verification
from facepipe.cli.eval.source import Source, crop_options
from facepipe.cli.eval.verification_table import report_verification


@click.command("bin")
@click.argument("bin_file", metavar="FILE.bin", type=click.Path(path_type=Path))
@click.option(
    "--embeddings",
    "paths",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Saved embeddings of the set instead of a model; several make an ensemble.",
)
@verification.accuracy_rule("insightface")
@verification.score
@verification.fars
@crop_options
@options.as_json
def command(
    source: Source,
    bin_file: Path,
    accuracy_rule: str,
    score: str,
    fars: tuple[float, ...],
    as_json: bool,
) -> None:
    """Evaluate on one of insightface's .bin sets: lfw, cfp_fp, agedb_30, calfw, cplfw, vgg2_fp ...

    The sets hold aligned crops. Image and mirror image are added (--flip sum) as in insightface's
    verification.py, whatever the model's card says, unless --flip is given.
    """
    import numpy as np

    from facepipe.datasets.pairs.insightface_bin import read_bin
    from facepipe.images import read_rgb
    from facepipe.protocols import FARS, evaluate_pairs

    content = read_bin(bin_file)

    def read(path: Path, max_pixels: int) -> np.ndarray:
        return read_rgb(content.images[path.name], max_pixels, f"{bin_file}, image {path.name}")

    if not source.paths:
        source = replace(source, flip=source.flip or "sum", already_aligned=True)
    embeddings = source.embeddings(content.pairs.names, bin_file.stem, read)
    result = evaluate_pairs(
        embeddings, content.pairs, accuracy_rule, "centre", score, fars or FARS, f"bin-{bin_file.stem}"
    )
    report_verification(result, bin_file.name, as_json)
