"""Import a file of weights into the cache."""

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facepipe.cli import options
from facepipe.cli.choices import flips, table_option
from facepipe.cli.door import door
from facepipe.cli.named import WEIGHTS
from facepipe.cli.screen import note
from facepipe.errors import ModelError

if TYPE_CHECKING:
    from facepipe.zoo import AnyCard


@click.command("import")
@click.argument("name", type=WEIGHTS)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--backbone", help="For a checkpoint without a card: its network, see 'facepipe models list --backbones'."
)
@click.option(
    "--option",
    "backbone_options",
    multiple=True,
    metavar="NAME=VALUE",
    help="Option of the network, such as inner_norm=false for SCF's ir101; may be repeated.",
)
@options.template
@click.option(
    "--channels",
    type=click.Choice(["rgb", "bgr"]),
    default="rgb",
    show_default=True,
    help="Channel order the network was trained with.",
)
@click.option(
    "--mean", type=options.Number(), default=127.5, show_default=True, help="Subtracted from pixels 0 to 255."
)
@click.option(
    "--scale",
    type=options.Number(0, min_open=True),
    default=127.5,
    show_default=True,
    help="Divisor after the mean is subtracted.",
)
@table_option(
    "--flip",
    lines=flips,
    default="none",
    show_default=True,
    help="How to combine the embeddings of image and mirror image.",
)
@click.option("--key", help="Key of the network in a checkpoint, such as state_dict [default: whichever fits].")
@click.option(
    "--prefix",
    help="Prefix of the network's weights in a checkpoint, such as model.backbone [default: whichever fits].",
)
@click.option(
    "--output", "onnx_output", default="", help="Output of an ONNX graph that is the embedding, if it has several."
)
@click.option(
    "--layout",
    type=click.Choice(["nchw", "nhwc"]),
    default="nchw",
    show_default=True,
    help="Input layout of an ONNX graph: channels first, or last as in TensorFlow.",
)
@door(reads=("file",))
@click.option("--overwrite", is_flag=True, help="Replace your own card of this name.")
def command(
    name: str,
    file: Path,
    backbone: str | None,
    backbone_options: tuple[str, ...],
    template: Any,
    channels: Any,
    mean: float,
    scale: float,
    flip: Any,
    key: str | None,
    prefix: str | None,
    onnx_output: str,
    layout: str,
    overwrite: bool,
) -> None:
    """Import a file of weights into the cache.

    If NAME has a card, the file must have the card's SHA-256. Otherwise it is a foreign checkpoint (torch,
    TorchScript, safetensors or ONNX): --backbone gives its network, every missing or unexpected key is
    reported, and a card is written next to it in the cache; the options must match its training. Anything else in a
    checkpoint is left out and reported; an ONNX graph may have its tensors in a separate file next to it.

    FILE may also be output of 'facepipe models export' or 'facepipe train': the folder, the card, or the weights next
    to it; the other options do not apply then.
    """
    from facepipe.zoo import Card, find_exported, import_exported, import_foreign, import_weights
    from facepipe.zoo.importing import check_name
    from facepipe.zoo.onnx_ends import OnnxEnds

    card = _known(name)
    if card is not None and not (overwrite and isinstance(card, Card)):
        if backbone is not None or backbone_options:
            raise ModelError(f"{name} has a card; choose another name, or use --overwrite if the card is yours")
        click.echo(f"{name}: {import_weights(card, file)}")
        return
    exported = None if backbone else find_exported(file)
    if exported is not None:
        check_name(name, overwrite)
        made = import_exported(exported, name)
        click.echo(f"{made.name}: card and weights of {exported.card.name} are in the cache")
        return
    if backbone is None and file.suffix != ".onnx":
        raise ModelError(f"{name} has no card; use a name in 'facepipe models list', or give --backbone for a new one")
    feed = _feed(template, channels, mean, scale)
    made = import_foreign(
        name, file, backbone=backbone, backbone_options=_values(backbone_options), input=feed, flip=flip,
        replace=overwrite, key=key, prefix=prefix, ends=OnnxEnds(layout, onnx_output), notify=note,
    )  # fmt: skip
    click.echo(f"{made.name}: card and weights are in the cache; check it with 'facepipe models show {made.name}'")


def _values(words: tuple[str, ...]) -> dict[str, Any]:
    """Options given as NAME=VALUE; values are true, false or numbers as in TOML."""
    values = {}
    for word in words:
        name, _, value = word.partition("=")
        try:
            values[name.strip()] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError as error:
            raise ModelError(f"--option {word}: must be NAME=VALUE, with true, false or a number") from error
    return values


def _known(name: str) -> "AnyCard | None":
    from facepipe.zoo import available, detector_cards

    if detector := detector_cards().get(name):
        return detector
    return next((status.card for status in available() if status.name == name), None)


def _feed(template: Any, channels: Any, mean: float, scale: float) -> Any:
    from facepipe.alignment import TEMPLATES
    from facepipe.zoo import Input

    size = TEMPLATES[template].height, TEMPLATES[template].width
    return Input(size=size, template=template, channels=channels, mean=mean, scale=scale)
