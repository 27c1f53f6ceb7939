"""Results side by side, with paired significance tests."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facepipe.cli import options
from facepipe.cli.door import door
from facepipe.cli.screen import note, print_json, progress, say
from facepipe.cli.table import show_summary, show_table
from facepipe.errors import DatasetError
from facepipe.protocols.summary import NONE, missing_lines, percent
from facepipe.tables import Column, counted, figures

if TYPE_CHECKING:
    from facepipe.protocols.saved_result import SavedResult

_PERCENT = ("accuracy", "std_error", "std_dev", "eer")


@click.command("compare")
@click.argument("files", metavar="A.json B.json...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--resamples", type=click.IntRange(100), default=1000, show_default=True, help="Bootstrap resamples.")
@click.option("--seed", type=int, default=0, show_default=True, help="Bootstrap seed.")
@options.as_json
@door(reads=("files",))
def command(files: tuple[Path, ...], resamples: int, seed: int, as_json: bool) -> None:
    """Compare results of 'facepipe eval ... --json' side by side.

    Every run is tested against the first if both cover the same pairs: the decisions by McNemar's exact test,
    TAR at each false-accept rate by a paired bootstrap.
    """
    from facepipe.protocols.saved_result import read_saved_result

    if len(files) < 2:
        raise DatasetError(f"{files[0]}: give at least two results; the others are compared with the first")
    results = [read_saved_result(path) for path in files]
    tests = [_test(results[0], other, resamples, seed) for other in results[1:]]
    if as_json:
        runs = [{"file": str(path), **_run(result)} for path, result in zip(files, results, strict=True)]
        message = [{"file": str(path), **test} for path, test in zip(files[1:], tests, strict=True)]
        print_json({"runs": runs, "against_first": message, "resamples": resamples, "seed": seed})
        return
    _show_runs(files, results)
    for path, test in zip(files[1:], tests, strict=True):
        _show_test(files[0], path, test, resamples)


def _run(result: "SavedResult") -> dict[str, Any]:
    return {"protocol": result.protocol, "figures": result.figures, "settings": result.settings}


def _test(first: "SavedResult", second: "SavedResult", resamples: int, seed: int) -> dict[str, Any]:
    from facepipe.protocols.verification.compare import mcnemar, tar_differences, why_not_paired

    reason = why_not_paired(first, second)
    if reason or first.outcomes is None or second.outcomes is None:
        return {"reason": reason, "mcnemar": None, "tar": []}
    judged = mcnemar(first.outcomes, second.outcomes)
    fars = [far for far in _tars(first) if far in _tars(second)]
    with progress("bootstrap", resamples) as advance:
        differences = tar_differences(first.outcomes, second.outcomes, fars, resamples, seed, advance)
    return {
        "reason": "",
        "mcnemar": None if judged is None else dict(vars(judged)),
        "tar": [dict(vars(difference)) for difference in differences],
    }


def _tars(result: "SavedResult") -> dict[float, dict[str, Any]]:
    table = result.figures.get("tar")
    points = table if isinstance(table, list) else []
    return {point["far"]: point for point in points if isinstance(point, dict) and {"far", "tar"} <= set(point)}


def _show_runs(files: tuple[Path, ...], results: list["SavedResult"]) -> None:
    rows = [("protocol", *(result.protocol for result in results))]
    for name in _names([result.figures for result in results]):
        rows.append((name, *(_figure(name, result.figures.get(name)) for result in results)))
    for far in dict.fromkeys(far for result in results for far in _tars(result)):
        shares = [_tars(result).get(far, {"tar": None})["tar"] for result in results]
        rows.append((f"TAR at FAR {far:g}", *map(percent, shares)))
    differing = []
    settings = [_parted(result.settings) for result in results]
    for name in dict.fromkeys(name for several in settings for name in several):
        values = [several.get(name) for several in settings]
        if any(value != values[0] for value in values):
            differing.append((name, *(NONE if value is None else _plain(value) for value in values)))
    columns = (Column(""), *(Column(path.stem, right=True, prose=True) for path in files))
    show_table(columns, rows, "Results", differing)


def _names(several: list[dict[str, Any]]) -> list[str]:
    """Figures that are a single number in some run."""
    return list(
        dict.fromkeys(
            name
            for figures in several
            for name, value in figures.items()
            if isinstance(value, int | float) or (value is None and name in _PERCENT)
        )
    )


def _figure(name: str, value: Any) -> str:
    if not isinstance(value, int | float):
        return NONE
    if name in _PERCENT:
        return percent(value)
    return f"{value:.5f}" if isinstance(value, float) else str(value)


def _parted(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings, with the details of a single finding as separate entries."""
    findings = settings.get("findings")
    if not isinstance(findings, list) or len(findings) != 1 or not isinstance(findings[0], dict):
        return settings
    details = {f"findings: {name}": value for name, value in findings[0].items()}
    return {name: value for name, value in settings.items() if name != "findings"} | details


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return "; ".join(map(_plain, value))
    return ", ".join(f"{key} {part}" for key, part in value.items()) if isinstance(value, dict) else str(value)


def _show_test(first: Path, second: Path, test: dict[str, Any], resamples: int) -> None:
    if test["reason"]:
        note(f"{second.stem} against {first.stem}: no paired test, {test['reason']}", style="yellow")
        return
    judged = test["mcnemar"]
    if judged is not None:
        say(
            f"correct only in {first.stem}: {counted(judged['only_first'], 'pair')}, only in {second.stem}: "
            f"{judged['only_second']}; McNemar's exact test p = {judged['p']:.3g}"
        )
    rows = []
    for row in test["tar"]:
        if row["difference"] is None:
            rows.append((f"{row['far']:g}", NONE, NONE, NONE))
        else:
            interval = f"{100 * row['low']:+.2f} … {100 * row['high']:+.2f}"
            rows.append((f"{row['far']:g}", f"{100 * row['difference']:+.2f}", interval, f"{row['p']:.3g}"))
    if rows:
        title = f"TAR of {second.stem} minus {first.stem}, {resamples} resamples"
        show_table(figures("FAR", "difference", "95 % interval", "p"), rows, title)
    missing = [row for row in test["tar"] if row["difference"] is None]
    show_summary(missing_lines("difference at FAR", [(row["far"], row["reason"]) for row in missing]))
