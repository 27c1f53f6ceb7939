"""Export a model for use elsewhere."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from facepipe.cli import options
from facepipe.cli.door import Output, door
from facepipe.cli.named import MODEL
from facepipe.cli.screen import print_json

if TYPE_CHECKING:
    from facepipe.export import OnnxExport


@click.command("export")
@click.argument("model", type=MODEL)
@click.argument("out", type=options.output_path)
@click.option("--name", default="", help="New name of the model [default: the current one].")
@click.option(
    "--weights",
    "numbers",
    type=click.Choice(["float32", "float16", "int8"]),
    default="float32",
    show_default=True,
    help="For .onnx: how weights are stored; float16 halves the file, int8 quarters it.",
)
@click.option(
    "--whole",
    is_flag=True,
    help="For .onnx: take RGB pixels from 0 to 255; scaling and flip rule become part of the graph.",
)
@click.option(
    "--pipeline",
    is_flag=True,
    help="Write a folder OUT with detector and model as ONNX files and one Python module that needs only NumPy and "
    "OpenCV, for building into a product.",
)
@options.as_json
@door(Output("out", files=(".onnx",)))
def command(
    model: str, out: Path, name: str, numbers: str, whole: bool, pipeline: bool, as_json: bool, overwrite: bool
) -> None:
    """Export a model for use elsewhere.

    MODEL is a name, a card file or a run folder. OUT is a folder for its card and weights; OUT/NAME.toml is then a
    model that --model accepts. If OUT ends in .onnx: one file with the model, its uncertainty head and its card, for
    any number of crops, verified against the model before it is saved; --model accepts it too. 'mtcnn' as MODEL writes
    the detector's three networks to the folder OUT.
    """
    from facepipe.export import export_mtcnn, export_onnx, export_pipeline
    from facepipe.zoo import export_model

    if pipeline:
        if name or whole:
            raise click.UsageError("--pipeline uses fixed names and raw pixels; --name and --whole do not apply.")
        _show_export(export_pipeline(model, out, numbers, overwrite=overwrite), as_json)
    elif out.suffix == ".onnx":
        made = export_onnx(model, out, name, whole=whole, numbers=numbers, overwrite=overwrite)
        _show_export(made, as_json)
    elif whole or numbers != "float32":
        raise click.UsageError("--weights and --whole apply only to ONNX; OUT must end in .onnx.")
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
        f"compared with the model on random crops: cosine at least {made.least_cosine:.6f}, values within "
        f"{100 * made.difference:.2g} %"
    )
