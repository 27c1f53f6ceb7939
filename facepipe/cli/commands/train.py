"""Train a backbone from a recipe."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facepipe.cli import options, train_options
from facepipe.cli.door import Output, door
from facepipe.cli.named import RECIPE
from facepipe.cli.screen import note, print_json
from facepipe.cli.table import show_table
from facepipe.tables import Column

if TYPE_CHECKING:
    from facepipe.train import Recipe


@click.command("train")
@click.argument("recipe", required=False, type=RECIPE)
@train_options.data
@click.option("--out", "-o", "run", type=options.output_path, help="Folder for the run [default: runs/RECIPE].")
@train_options.overrides
@click.option("--resume", is_flag=True, help="Continue from the last checkpoint in --out.")
@click.option(
    "--allow", is_flag=True, help="With --resume: allow --set to change the loss, the network, the batch or the data."
)
@train_options.seed
@train_options.identity_depth
@options.device
@click.option("--list", "list_recipes", is_flag=True, help="List the shipped recipes.")
@options.as_json
@door(Output("run", shared=True), reads=("paths",), optional=("paths",), walks=("paths",), keeps=("run", "cache"))
def command(
    recipe: str | None,
    paths: tuple[Path, ...],
    run: Path | None,
    overrides: tuple[str, ...],
    resume: bool,
    allow: bool,
    seed: int | None,
    identity_depth: int | None,
    device: str,
    list_recipes: bool,
    as_json: bool,
) -> None:
    """Train a backbone, or an uncertainty head on one.

    RECIPE is the name of a shipped recipe or the path of a TOML file; with --resume it may be left out. Data
    are folders with one subfolder per identity, list files, .tar shards, a .rec file or a manifest of
    'facepipe preprocess', all of aligned crops. Several GPUs: torchrun -m facepipe train ...
    """
    if list_recipes:
        _list(as_json)
        return
    from facepipe.train import Stopped, resolve, train
    from facepipe.train.evaluation.pairs import evaluation_of

    words = train_options.with_short(overrides, seed, identity_depth)
    resolved, folder = resolve(recipe, run, paths, words, resume)
    try:
        summary = train(resolved, folder, resume=resume, allow=allow, device=device, evaluation=evaluation_of(resolved))
    except Stopped as stopped:
        if os.environ.get("RANK", "0") == "0":
            note(str(stopped))
        sys.exit(stopped.exit_code)
    if as_json and "thresholds" in summary:
        print_json(summary)
    elif "thresholds" in summary:
        _show(summary)


train = command


def _list(as_json: bool) -> None:
    from facepipe.train import load_recipe, shipped_recipes

    recipes = {name: load_recipe(name) for name in shipped_recipes()}
    if as_json:
        print_json(
            {
                name: {"about": recipe.about, "backbone": _network(recipe), "loss": recipe.loss.name}
                for name, recipe in recipes.items()
            }
        )
        return
    columns = (Column("recipe"), Column("network", lesser=2), Column("loss", lesser=1), Column("about", prose=True))
    show_table(columns, [(name, _network(one), one.loss.name, one.about) for name, one in recipes.items()])


def _network(recipe: "Recipe") -> str:
    settings = recipe.uncertainty
    if not settings.head:
        return recipe.model.backbone
    return f"{settings.head} head on {settings.backbone or 'your model'}"


def _show(summary: dict[str, Any]) -> None:
    rows: list[tuple[str, str]] = []
    for name in ("steps", "images", "identities", "unreadable", "samples_per_second", "fisher"):
        if name in summary:
            value = summary[name]
            rows.append((name.replace("_", " "), f"{value:.4f}" if name == "fisher" else f"{value:,}"))
    for name, value in summary["evaluation"].items():
        rows.append((name.replace("_", " "), f"{100 * value:.2f} %"))
    for threshold in summary["thresholds"]:
        what = f"{threshold['score']} threshold at FAR {threshold['far']:g}"
        rows.append((what, f"{threshold['value']:.4f} (TAR {100 * threshold['tar']:.1f} %)"))
    show_table((Column("figure"), Column("value")), rows)
    for line in summary["notes"]:
        note(line)
    note(f"use it with --model {summary['run']}")
