"""Measure the throughput of every stage on this machine."""

from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facepipe.cli import options
from facepipe.cli.door import door
from facepipe.cli.screen import note, print_json, progress, say
from facepipe.cli.table import show_table
from facepipe.errors import DatasetError, ModelError
from facepipe.files import PassedOver
from facepipe.tables import Column, figures

if TYPE_CHECKING:
    from facepipe.bench import StageRow
    from facepipe.detection import DetectorSettings
    from facepipe.embedding import Embedder


@click.command("bench")
@click.argument("images", required=False, type=click.Path(path_type=Path))
@click.option(
    "-n",
    "count",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    help="Number of images to take from the folder.",
)
@options.model
@options.precision
@options.device
@options.detection
@options.as_json
@door(reads=("images",), walks=("images",))
def command(
    images: Path | None,
    count: int,
    model: str | None,
    precision: str,
    device: str,
    detection: "DetectorSettings",
    as_json: bool,
) -> None:
    """Measure the throughput of every stage, next to installed peers, and of all stages after reading together.

    IMAGES is a folder of photos, preferably of one size, as in LFW; without it, a photo from scikit-image is used
    repeatedly. Crops are cut on the host and, for comparison, on the device, as with --warp of other commands. The
    peers, each in its own process, are facenet-pytorch's MTCNN in batches of 32 with the same settings, and a plain
    float32 forward pass of the same embedding network. Without a model in the cache, an untrained MobileFaceNet of the
    same speed is used.
    """
    import torch

    from facepipe.bench import STAGES, bench
    from facepipe.devices import choose_device
    from facepipe.images import list_images

    passed = PassedOver()
    failed: list[tuple[Path, str]] = []
    paths = list(islice(list_images(images, passed=passed), count)) if images else _portraits(min(count, 256))
    if not paths:
        raise DatasetError(f"{images}: contains no images; give a folder of photos")
    if passed:
        note(passed.line())
    embedder = _embedder(model, precision, device)
    chosen = str(choose_device(device))
    with progress("measuring", STAGES * len(paths)) as advance:
        rows = bench(paths, embedder, detection, chosen, advance, lambda *one: failed.append(one))
    for path, reason in failed:
        note(f"{path}: {reason}", style="yellow")
    about = {"images": len(paths) - len(failed), "device": chosen, "threads": torch.get_num_threads(),
             "torch": torch.__version__, "model": embedder.model.identity,
             "detection": detection.to_dict()}  # fmt: skip
    if as_json:
        left_out = {"unreadable": len(failed), "passed_over": passed.to_dict()}
        print_json(about | {"stages": [vars(row) for row in rows]} | left_out)
    else:
        _show(rows, about)


def _portraits(count: int) -> list[Path]:
    from facepipe.cli.commands.demo import packaged_photo

    return [packaged_photo("Eileen Collins")] * count


def _embedder(model: str | None, precision: str, device: str) -> "Embedder":
    try:
        return options.make_embedder(model, None, precision, device)
    except ModelError:
        if model is not None:
            raise
    from facepipe.backbones import create
    from facepipe.devices import choose_device
    from facepipe.embedding import Embedder
    from facepipe.zoo import Model, find_card

    note("no model in the cache: measuring an untrained MobileFaceNet")
    card = replace(find_card("mobilefacenet-casia"), name="untrained")
    network = create("mobilefacenet", input_size=card.input.size, embedding_dim=card.embedding.dim).eval()
    where = choose_device(device)
    return Embedder(Model(card, network.to(where), "untrained", where), precision=precision)


def _show(rows: list["StageRow"], about: dict[str, Any]) -> None:
    columns = (Column("stage"), Column("who"), *figures("per second", "facepipe's speed"))
    ratios = ["" if row.facepipe_times is None else f"{row.facepipe_times:.2f} ×" for row in rows]
    cells = [(row.stage, row.who, f"{row.per_second:.1f}", ratio) for row, ratio in zip(rows, ratios, strict=True)]
    show_table(columns, cells)
    detection = ", ".join(f"{key} {value}" for key, value in about["detection"].items())
    for key, value in (about | {"detection": detection}).items():
        say(f"{key}: {value}")
