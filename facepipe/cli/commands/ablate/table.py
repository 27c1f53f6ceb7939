"""The table of an ablation."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from facepipe.cli.screen import note
from facepipe.cli.table import show_table
from facepipe.protocols.summary import NONE
from facepipe.tables import Column, figures

if TYPE_CHECKING:
    from facepipe.cli.eval.benchmark import Measured
    from facepipe.train.ablation import Ablation, Variant


def ablation_json(ablation: str, rows: list["Variant"], results: dict[str, dict[str, "Measured"]]) -> dict[str, Any]:
    """The table as JSON: for each row the model, the score, and every benchmark's accuracy (fraction) and command.

    Args:
        ablation: its name.
        rows: from top to bottom.
        results: row → benchmark → result.
    """
    return {
        "ablation": ablation,
        "rows": [
            {
                "row": row.name,
                "title": row.row.title,
                "model": next(iter(results[row.name].values())).settings["model"],
                "run": str(row.run) if row.row.trained else None,
                **_trained_on(row),
                "score": row.row.score,
                "benchmarks": {
                    name: {
                        "accuracy": result.accuracy,
                        "std_error": result.std_error,
                        "std_dev": result.std_dev,
                        "pairs": result.pairs,
                        "command": f"facepipe eval {result.settings['benchmark']}",
                    }
                    for name, result in results[row.name].items()
                },
                "mean": _mean(results[row.name]),
            }
            for row in rows
        ],
    }


def _trained_on(row: "Variant") -> dict[str, Any]:
    """Numbers of training images and of unreadable ones."""
    from facepipe.train.run.finished import finished_event

    ended = finished_event(row.run) if row.row.trained else {}
    return {name: ended[name] for name in ("images", "unreadable") if name in ended}


def show_ablation(
    plan: "Ablation", rows: list["Variant"], results: dict[str, dict[str, "Measured"]], target: Path
) -> None:
    """Print a table with a column per benchmark of the ablation, a dash if not measured, and the mean.

    Args:
        plan, rows, results: as in `ablation_json`.
        target: the folder of results.
    """
    measured = list(results[rows[0].name])
    columns = list(dict.fromkeys([*plan.columns, *measured]))
    table = []
    for row in rows:
        found = results[row.name]
        shares = [found[name].accuracy if name in found else None for name in columns]
        table.append((row.row.title, *map(_hundred, (*shares, _mean(found)))))
    show_table((Column(""), *figures(*columns, "mean")), table, "accuracy in %")
    known = [name for name in measured if results[rows[0].name][name].accuracy is not None]
    if 0 < len(known) < len(columns):
        note(f"mean over {', '.join(known)}")
    note(f"to test differences for significance: facepipe eval compare {target / 'results' / measured[0]}/*.json")


def _hundred(share: float | None) -> str:
    return NONE if share is None else f"{100 * share:.2f}"


def _mean(results: dict[str, "Measured"]) -> float | None:
    """Mean over the benchmarks with an accuracy."""
    known = [result.accuracy for result in results.values() if result.accuracy is not None]
    return sum(known) / len(known) if known else None
