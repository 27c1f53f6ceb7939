"""``facepipe models``."""

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facepipe.cli import options
from facepipe.cli.choices import flips, table_option
from facepipe.cli.door import Output, door
from facepipe.cli.lazy_group import Group
from facepipe.cli.named import MODEL, WEIGHTS
from facepipe.cli.screen import note, notes, print_json, say
from facepipe.cli.table import Column, figures, show_table
from facepipe.errors import ModelError

if TYPE_CHECKING:
    from facepipe.export import OnnxExport
    from facepipe.zoo import AnyCard, Card, CardStatus, DetectorCard, Probability


@click.group("models", cls=Group, invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """List, fetch, import and export models."""
    if context.invoked_subcommand is None:
        context.invoke(list_models)


@command.command("list")
@click.option("--backbones", "with_backbones", is_flag=True, help="The networks that 'train' and 'import' know too.")
@options.as_json
def list_models(with_backbones: bool = False, as_json: bool = False) -> None:
    """All models, and the weights of detectors, one line each; 'facepipe models show NAME' tells more.

    With --json the backbones are there in any case.
    """
    from facepipe.backbones import describe, names
    from facepipe.zoo import available, detector_cards, is_cached

    statuses = available()
    detectors = [(card, is_cached(card)) for card in detector_cards().values()]
    backbones = [describe(name) for name in names()] if as_json or with_backbones else []
    if as_json:
        print_json(
            {
                "models": [_status(status) for status in statuses],
                "detectors": [
                    {"name": card.name, "cached": cached, "card": card.model_dump()} for card, cached in detectors
                ],
                "backbones": [
                    {"name": info.name, "input_size": info.input_size, "embedding_dim": info.embedding_dim,
                     "parameters": info.parameters, "paper": info.paper}
                    for info in backbones
                ],
            }
        )  # fmt: skip
        return
    _show_models(statuses)
    click.echo()
    _show_detectors(detectors)
    if with_backbones:
        click.echo()
        _show_backbones(backbones)


def _status(status: "CardStatus") -> dict[str, Any]:
    from facepipe.zoo import DEFAULT

    return {"name": status.name, "default": status.name == DEFAULT, "cached": status.cached,
            "shipped": status.shipped, "problem": status.problem,
            "card": None if status.card is None else status.card.model_dump()}  # fmt: skip


def _show_models(statuses: list["CardStatus"]) -> None:
    from facepipe.zoo import DEFAULT

    columns = (
        Column("model"),
        Column("at hand"),
        Column("crop", lesser=2),
        Column("embedding", lesser=1),
        Column("licence", lesser=3),
        Column("what it is", lesser=4),
    )
    rows = []
    for status in statuses:
        card = status.card
        if card is None:
            rows.append((status.name, "damaged", "", "", "", ""))
            continue
        name = f"{card.name} (default)" if card.name == DEFAULT else card.name
        crop = f"{'×'.join(map(str, card.input.size))} {card.input.channels}"
        embedding = f"{card.embedding.dim}, flip {card.embedding.flip}"
        rows.append((name, _at_hand(status.cached), crop, embedding, card.source.licence, card.title))
    show_table(columns, rows)
    for status in statuses:
        if status.problem:
            note(f"{status.name}: {status.problem}", style="yellow")


def _show_detectors(detectors: "list[tuple[DetectorCard, bool]]") -> None:
    columns = (Column("detector"), Column("at hand"), Column("licence", lesser=1), Column("what it is", lesser=2))
    rows = [(card.name, _at_hand(cached), card.source.licence, card.title) for card, cached in detectors]
    show_table(columns, rows)


def _at_hand(cached: bool) -> str:
    return "yes" if cached else "no"


def _show_backbones(backbones: list[Any]) -> None:
    columns = (
        Column("backbone"),
        Column("crop"),
        *figures("embedding", "parameters"),
        Column("paper", prose=True, lesser=1),
    )
    rows = [
        (
            info.name,
            "×".join(map(str, info.input_size)),
            info.embedding_dim,
            f"{info.parameters / 1e6:.1f} M",
            info.paper,
        )
        for info in backbones
    ]
    show_table(columns, rows)


@command.command("show")
@click.argument("name", type=WEIGHTS)
@options.as_json
def show(name: str, as_json: bool) -> None:
    """One model's card: how it is fed, where it comes from, its thresholds."""
    from facepipe.zoo import Card, cached_weights, detector_cards, locate

    detector = detector_cards().get(name)
    card, weights = (detector, cached_weights(detector)) if detector else locate(name)
    if as_json:
        print_json(card.model_dump() | {"path": str(weights), "cached": weights.is_file()})
        return
    say(f"{card.name}: {card.title}")
    for part in ("input", "embedding", "weights", "source", "use"):
        if part not in type(card).model_fields:
            continue
        for key, value in getattr(card, part).model_dump().items():
            for line in value if isinstance(value, tuple) and part == "use" else [value]:
                if line not in ("", None):
                    say(f"  {part}.{key}: {line}")
    if isinstance(card, Card):
        _show_figures(card)
    say(f"  file: {weights if weights.is_file() else 'not at hand'}")


def _show_figures(card: "Card") -> None:
    """What was measured with a model: its head, curves and thresholds."""
    if card.uncertainty is not None:
        section = card.uncertainty
        median = section.quantiles[len(section.quantiles) // 2] if section.quantiles else None
        usual = "" if median is None else f", median {median:.4g} on {section.measured_on}"
        say(f"  uncertainty.head: {section.head}{usual}")
    for curve in card.probabilities:
        where = f"flip {curve.flip or card.embedding.flip}, {curve.fitted_on}"
        say(f"  probability: log odds = {_formula(curve)} at prior 50 % ({where})")
    for one in card.thresholds:
        where = f"flip {one.flip or card.embedding.flip}, {one.calibrated_on}"
        among = "" if one.population == "random" else " among people who are alike"
        tar = "" if one.tar is None else f", TAR {100 * one.tar:.1f} %"
        line = f"  FAR {one.far:g}{among}: {one.score} ≥ {one.value:.4f}{tar} ({where})"
        say(line)


def _formula(curve: "Probability") -> str:
    plain = f"{curve.slope:.4g}·{curve.score} {curve.offset:+.4g}"
    if not (curve.confidence or curve.interaction):
        return plain
    sure = f"({curve.confidence:+.4g} {curve.interaction:+.4g}·{curve.score})·c"
    return f"{plain} + {sure}, c = log confidence of the less sure face, {curve.low:.3g} to {curve.high:.3g},"


@command.command("pull")
@click.argument("name", type=WEIGHTS)
def pull_model(name: str) -> None:
    """Download a model's weights into the cache and check their SHA-256."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    from facepipe.zoo import find_any_card, pull

    card = find_any_card(name)
    console = notes()
    columns = TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    hidden = not console.is_terminal or console.is_dumb_terminal
    plain: Any = {"transient": True, "redirect_stdout": False, "disable": hidden}
    with Progress(*columns, console=console, **plain) as bar:
        task = bar.add_task(f"fetching {name}", total=None)
        path = pull(card, lambda done, total: bar.update(task, completed=done, total=total))
    click.echo(f"{name}: {path}")


@command.command("export")
@click.argument("model", type=MODEL)
@click.argument("out", type=options.output_path)
@click.option("--name", default="", help="The model's name from now on [default: the one that it has].")
@click.option(
    "--weights",
    "numbers",
    type=click.Choice(["float32", "float16", "int8"]),
    default="float32",
    show_default=True,
    help="Of an .onnx: how weights are stored; float16 halves the file, int8 quarters it.",
)
@click.option(
    "--whole", is_flag=True, help="Of an .onnx: it takes RGB pixels from 0 to 255; scaling and flip rule go inside."
)
@click.option(
    "--pipeline",
    is_flag=True,
    help="OUT becomes a folder with detector and model as ONNX files and one Python module over NumPy and OpenCV that "
    "runs them, to be put into a product.",
)
@options.as_json
@door(Output("out"))
def export(
    model: str, out: Path, name: str, numbers: str, whole: bool, pipeline: bool, as_json: bool, overwrite: bool
) -> None:
    """Write a model for use elsewhere.

    MODEL is a name, a card file or a run folder. OUT is a folder for its card and weights: OUT/NAME.toml is then a
    model that --model takes. Or OUT ends in .onnx: one file with the model, its uncertainty head and its card, for any
    number of crops, checked against the model before it is kept; --model takes it too. 'mtcnn' as MODEL gives the three
    networks of the detector in the folder OUT.
    """
    from facepipe.export import export_mtcnn, export_onnx, export_pipeline
    from facepipe.zoo import export_model

    if pipeline:
        if name or whole:
            raise click.UsageError("--pipeline has its own names and takes pixels as they are.")
        _show_export(export_pipeline(model, out, numbers, overwrite=overwrite), as_json)
    elif out.suffix == ".onnx":
        made = export_onnx(model, out, name, whole=whole, numbers=numbers, overwrite=overwrite)
        _show_export(made, as_json)
    elif whole or numbers != "float32":
        raise click.UsageError("--weights and --whole are of an ONNX file: let OUT end in .onnx.")
    elif model == "mtcnn":
        _show_written([str(path) for path in export_mtcnn(out, overwrite)], as_json)
    else:
        card = export_model(model, out, name, overwrite)
        print_json({"card": str(card)}) if as_json else click.echo(f"card: {card}")


def _show_written(files: list[str], as_json: bool) -> None:
    if as_json:
        print_json({"files": files})
    for file in [] if as_json else files:
        click.echo(file)


def _show_export(made: "OnnxExport", as_json: bool) -> None:
    if as_json:
        print_json(made.to_dict())
        return
    click.echo(f"{made.file}: {made.model}, {made.size_bytes / 1e6:.1f} MB, weights in {made.numbers}")
    click.echo(
        f"against the model itself, on random crops: cosines from {made.least_cosine:.6f} on, numbers within "
        f"{100 * made.difference:.2g} %"
    )


@command.command("import")
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
    help="Of the network, such as inner_norm=false for SCF's ir101; may be repeated.",
)
@options.template
@click.option(
    "--channels",
    type=click.Choice(["rgb", "bgr"]),
    default="rgb",
    show_default=True,
    help="Order of colours that the network was trained with.",
)
@click.option(
    "--mean", type=options.Number(), default=127.5, show_default=True, help="Subtracted from pixels 0 to 255."
)
@click.option(
    "--scale", type=options.Number(0, min_open=True), default=127.5, show_default=True,
    help="What the difference is divided by.",
)
@table_option(
    "--flip", lines=flips, default="none", show_default=True, help="How to join image and mirror."
)
@click.option("--key", help="Where in a checkpoint the network lies, such as state_dict [default: where it fits].")
@click.option("--prefix", help="Of the network's names in a checkpoint, such as model.backbone [default: what fits].")
@click.option("--output", "onnx_output", default="", help="Of several outputs of an ONNX graph, the embedding.")
@click.option(
    "--layout",
    type=click.Choice(["nchw", "nhwc"]),
    default="nchw",
    show_default=True,
    help="Of the crops that an ONNX graph takes: colours first, or last as in TensorFlow's.",
)
@door(reads=("file",))
@click.option("--overwrite", is_flag=True, help="Replace a card of your own of this name.")
def import_model(
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
    """Put a file of weights into the cache.

    When NAME has a card, the file must have the card's SHA-256. Otherwise the file is a foreign checkpoint
    (torch, TorchScript, safetensors or ONNX): --backbone says which network it is for, every missing or unexpected
    key is reported, and a card is written beside it in the cache; the options must tell how it was trained. What a
    checkpoint holds besides the network is left out and told; an ONNX graph may have its tensors in a file beside it.

    FILE may also be what 'facepipe models export' or 'facepipe train' wrote, the folder, the card or the weights beside
    it: then the card says all, and the other options do not apply.
    """
    from facepipe.zoo import Card, find_exported, import_exported, import_foreign, import_weights
    from facepipe.zoo.importing import check_name
    from facepipe.zoo.onnx_ends import OnnxEnds

    card = _known(name)
    if card is not None and not (overwrite and isinstance(card, Card)):
        if backbone is not None or backbone_options:
            raise ModelError(f"{name} has a card; choose another name, or give --overwrite if the card is yours")
        click.echo(f"{name}: {import_weights(card, file)}")
        return
    exported = None if backbone else find_exported(file)
    if exported is not None:
        check_name(name, overwrite)
        made = import_exported(exported, name)
        click.echo(f"{made.name}: card and weights of {exported.card.name} are in the cache")
        return
    if backbone is None and file.suffix != ".onnx":
        raise ModelError(f"{name} has no card; take a name of 'facepipe models list', or give --backbone for a new one")
    feed = _feed(template, channels, mean, scale)
    made = import_foreign(
        name, file, backbone=backbone, backbone_options=_values(backbone_options), input=feed, flip=flip,
        replace=overwrite, key=key, prefix=prefix, ends=OnnxEnds(layout, onnx_output), tell=note,
    )  # fmt: skip
    click.echo(f"{made.name}: card and weights are in the cache; check it with 'facepipe models show {made.name}'")


def _values(words: tuple[str, ...]) -> dict[str, Any]:
    """Options given as NAME=VALUE, the value true, false or a number as in TOML."""
    values = {}
    for word in words:
        name, _, value = word.partition("=")
        try:
            values[name.strip()] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError as error:
            raise ModelError(f"--option {word}: write NAME=VALUE, the value true, false or a number") from error
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
