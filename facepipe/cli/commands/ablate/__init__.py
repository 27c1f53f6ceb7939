"""Train the rows of a published ablation and print its table."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from facepipe.cli import again, options, train_options
from facepipe.cli.commands.ablate.table import ablation_json, show_ablation
from facepipe.cli.door import Output, door
from facepipe.cli.named import ABLATION, RECIPE
from facepipe.cli.screen import note, print_json
from facepipe.cli.table import show_table
from facepipe.errors import DatasetError
from facepipe.protocols.summary import percent
from facepipe.tables import Column

if TYPE_CHECKING:
    from facepipe.cli.eval.benchmark import Benchmark, Measured
    from facepipe.train.ablation import Variant


@click.command("ablate")
@click.argument("ablation", required=False, type=ABLATION)
@click.argument("benchmarks", nargs=-1, metavar="[BENCHMARK]...")
@click.option("--recipe", type=RECIPE, help="A recipe by name or path [default: the ablation's].")
@train_options.data
@click.option(
    "--out", "-o", "folder", type=options.output_path, help="Folder for runs and results [default: runs/ABLATION]."
)
@train_options.overrides
@train_options.seed
@options.device
@again.verify
@click.option("--list", "list_ablations", is_flag=True, help="List the ablations shipped with facepipe.")
@options.as_json
@door(Output("folder", shared=True), reads=("paths",), optional=("paths",), walks=("paths",), keeps=("folder",))
def command(
    ablation: str | None,
    benchmarks: tuple[str, ...],
    recipe: str | None,
    paths: tuple[Path, ...],
    folder: Path | None,
    overrides: tuple[str, ...],
    seed: int | None,
    device: str,
    verify: bool,
    list_ablations: bool,
    as_json: bool,
) -> None:
    """Train the rows of an ablation, evaluate each, and print one table.

    ABLATION is the name of a shipped ablation or the path of a TOML file. A BENCHMARK is one of insightface's
    .bin files, or NAME='PROTOCOL ...' with the arguments of 'facepipe eval', without --model and --score:

    \b
    facepipe ablate probface bins/*.bin -d CROPS -o runs/ablation
    facepipe ablate probface LFW='lfw lfw96 --already-aligned --pairs pairs.txt' -d CROPS

    After an interruption the same command continues: finished rows and results are kept. Results are recomputed if
    images or lists of their benchmark have changed; rows whose training data have changed are rejected.
    """
    if list_ablations:
        _list(as_json)
        return
    from facepipe.cli.eval.benchmark import parse_benchmark
    from facepipe.train.ablation import load_ablation, variants

    if ablation is None:
        raise DatasetError("no ablation given; choose one (facepipe ablate --list shows them)")
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise DatasetError("ablate runs in one process: train the rows with torchrun -m facepipe train, then run it")
    plan = load_ablation(ablation)
    requested = [parse_benchmark(text, plan.columns) for text in benchmarks]
    _require_distinct(ablation, requested)
    target = folder or Path("runs") / Path(ablation).stem
    rows = variants(plan, recipe, target, paths, train_options.with_short(overrides, seed))
    finished = {row.name: _is_finished(row) for row in rows}
    inputs = {one.name: _inputs(one, target, verify) for one in requested}
    results: dict[str, dict[str, Measured]] = {}
    for row in rows:
        _train(row, finished[row.name], device)
        results[row.name] = {one.name: _evaluate(one, row, target, device, inputs[one.name]) for one in requested}
    if as_json:
        print_json(ablation_json(ablation, rows, results))
    else:
        show_ablation(plan, rows, results, target)


def _require_distinct(ablation: str, requested: list["Benchmark"]) -> None:
    names = [benchmark.name for benchmark in requested]
    if not names:
        raise DatasetError(f"ablation {ablation}: give a benchmark, such as an insightface .bin file; see --help")
    twice = next((name for name in names if names.count(name) > 1), "")
    if twice:
        raise DatasetError(f"benchmark {twice}: given twice")


def _is_finished(row: "Variant") -> bool:
    """Whether the row needs no training; if it does, its data must exist."""
    from facepipe.datasets.samples.opening import require_paths
    from facepipe.train.run.finished import data_exist, is_finished, require_same_data

    if not row.row.trained:
        return True
    if is_finished(row.recipe, row.run):
        if data_exist(row.recipe):
            require_same_data(row.recipe, row.run)
        else:
            note(f"{row.row.title}: its training data no longer exist and were not compared", style="yellow")
        return True
    require_paths(row.recipe.data.paths)
    return False


def _inputs(benchmark: "Benchmark", target: Path, verify: bool) -> str:
    """The state of a benchmark's input files; reports changes."""
    from facepipe.cli.eval.kept_inputs import compare_inputs

    seen = compare_inputs(target / "results" / benchmark.name / "inputs" / "marks.json", benchmark.reads(), verify)
    if seen.changes:
        note(f"{benchmark.name}: since the last run: {seen.changes.line()}; it is measured again")
    return seen.state


def _train(row: "Variant", finished: bool, device: str) -> None:
    from facepipe.train import Stopped, train
    from facepipe.train.evaluation.pairs import evaluation_of

    title = row.row.title
    if finished:
        note(f"{title}: {row.run} is finished" if row.row.trained else f"{title}: {row.model}, not trained")
        return
    note(f"{title}: training in {row.run}")
    try:
        train(row.recipe, row.run, resume=True, device=device, evaluation=evaluation_of(row.recipe))
    except Stopped as stopped:
        note(f"{str(stopped).partition(';')[0]}; run the same command again to continue")
        sys.exit(stopped.exit_code)


def _evaluate(benchmark: "Benchmark", row: "Variant", target: Path, device: str, inputs: str) -> "Measured":
    from facepipe.cli.eval.benchmark import kept_result

    file = target / "results" / benchmark.name / f"{row.name}.json"
    result, kept = kept_result(file, benchmark, row.model, row.row.score, device, inputs)
    reason = result.reasons.get("accuracy", "")
    text = percent(result.accuracy) + (f" ({reason})" if reason else "")
    note(f"{row.row.title}, {benchmark.name}: {text} by {row.row.score}" + (f", saved in {file}" if kept else ""))
    return result


def _list(as_json: bool) -> None:
    from facepipe.train.ablation import load_ablation, shipped_ablations

    plans = {name: load_ablation(name) for name in shipped_ablations()}
    if as_json:
        print_json({name: plan.model_dump() for name, plan in plans.items()})
        return
    columns = (Column("ablation"), Column("recipe"), Column("rows", prose=True), Column("about", prose=True, lesser=1))
    show_table(
        columns,
        [
            (name, plan.recipe, ", ".join(row.title for row in plan.rows.values()), plan.about)
            for name, plan in plans.items()
        ],
    )
