"""``facepipe eval cfp``."""

from pathlib import Path

import click

from facepipe.cli import options
from facepipe.cli.eval import verification_options as verification
from facepipe.cli.eval.source import Source, source_options, source_path
from facepipe.cli.eval.verification_table import report_verification
from facepipe.errors import DatasetError


@click.command("cfp")
@source_path
@click.option("--part", type=click.Choice(["FF", "FP"]), default="FP", show_default=True, help="Which pairs.")
@click.option(
    "--protocol", "protocol_folder", type=click.Path(path_type=Path), help="CFP's folder Protocol [default: in PATH]."
)
@verification.verification("insightface")
@source_options
@options.as_json
def command(
    source: Source,
    part: str,
    protocol_folder: Path | None,
    accuracy_rule: str,
    score: str,
    on_miss: str,
    fars: tuple[float, ...],
    as_json: bool,
) -> None:
    """Evaluate on CFP: frontal with frontal (FF) or with profile faces (FP).

    PATH is CFP's folder (with Data and Protocol), a folder of aligned crops (001/frontal/01.jpg) with
    --already-aligned, or a file of embeddings; for the last two name the lists with --protocol.
    """
    from facepipe.datasets.pairs.cfp import cfp_images, read_cfp_pairs
    from facepipe.protocols import FARS, evaluate_pairs

    folder = protocol_folder or source.paths[0] / "Protocol"
    if protocol_folder is None and not folder.is_dir():
        raise DatasetError(f"{source.paths[0]}: has no folder Protocol; name CFP's with --protocol")
    pairs = read_cfp_pairs(folder, part)
    embeddings = source.below(cfp_images).embeddings(pairs.names, "CFP")
    result = evaluate_pairs(embeddings, pairs, accuracy_rule, on_miss, score, fars or FARS, f"cfp-{part.lower()}")
    report_verification(result, f"CFP-{part}", as_json)
