"""What people see of a verification result."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from facepipe.cli.screen import note, out, print_json

if TYPE_CHECKING:
    from facepipe.protocols import Result

NONE = "–"
_USED = {"centre": "; their centre was used", "skip": "; their pairs were skipped", "fail": ""}


class Caller:
    """A command that runs one of these: as ``obj`` of the click context it gets the result, and nothing is shown."""

    result: "Result | None" = None


def report_verification(result: "Result", title: str, as_json: bool, damage: str | None = None) -> None:
    """JSON for programs, tables for people; neither where a `Caller` wants the result.

    Args:
        result, title: what is told.
        as_json: for programs.
        damage: protocol of the copies that are mixed in.
    """
    if damage is not None:
        result = replace(result, settings=result.settings | {"damage": damage})
        title = f"{title} with {damage} damage"
    context = click.get_current_context(silent=True)
    caller = None if context is None else context.find_object(Caller)
    if caller is not None:
        caller.result = result
    elif as_json:
        print_json(result.as_json())
    else:
        show_verification(result, title)


def show_verification(result: "Result", title: str) -> None:
    """Folds, then TAR at FAR, then notes on missed faces and on figures that the data cannot give."""
    from rich.markup import escape

    figures, settings = result.figures, result.settings
    about = f"{escape(title)}, {settings['model']}, score {settings['score']}"
    if figures["folds"]:
        _show_folds(result, about)
    show_tar(figures["tar"], f"{about}, {figures['genuine']} genuine and {figures['impostor']} impostor pairs")
    out().print(f"equal error rate {percent(figures['eer'])}, area under the ROC curve {_area(figures['auc'])}")
    for name, reason in figures.get("reasons", {}).items():
        note(f"no {name}: {reason}", style="yellow")
    used = _USED[settings["on_miss"]] if figures["undetected"] else ""
    what = "images" if "images" in figures else "videos"
    note(f"{figures['undetected']} of {figures[what]} {what} had no detected face{used}")


def show_tar(points: list[dict[str, Any]], title: str) -> None:
    """TAR at FAR, as `facepipe.protocols.result.tar_table` has it; a dash and the reason where there is none."""
    from rich.table import Table

    table = Table(title=title)
    for column in ("FAR", "TAR", "95 % interval", "threshold"):
        table.add_column(column, justify="right")
    for point in points:
        if point["tar"] is None:
            table.add_row(f"{point['far']:g}", NONE, point["reason"], NONE)
        else:
            interval = f"{100 * point['low']:.2f} … {100 * point['high']:.2f}"
            table.add_row(f"{point['far']:g}", percent(point["tar"]), interval, f"{point['threshold']:.4f}")
    out().print(table)


def percent(share: float | None) -> str:
    """A share as ``99.12 %``, or a dash."""
    return NONE if share is None else f"{100 * share:.2f} %"


def _area(share: float | None) -> str:
    return NONE if share is None else f"{share:.5f}"


def _show_folds(result: "Result", about: str) -> None:
    from rich.table import Table

    table = Table(title=f"{about}, rule {result.settings['rule']}")
    for column in ("fold", "accuracy", "threshold", "pairs"):
        table.add_column(column, justify="right")
    for number, fold in enumerate(result.folds, 1):
        table.add_row(str(number), percent(fold.accuracy), f"{fold.threshold:.4f}", str(fold.pairs))
    table.add_section()
    table.add_row("mean", percent(result.accuracy), "", str(result.figures["pairs"]))
    table.add_row("standard error", percent(result.std_error), "", "")
    table.add_row("standard deviation", percent(result.std_dev), "", "")
    out().print(table)
    val = result.figures.get("val")
    if val and val["val"] is not None:
        told = f"{percent(val['val'])}, standard deviation {percent(val['std_dev'])}, FAR reached {val['reached']:.5f}"
        out().print(f"VAL at FAR {val['far']:g}, as insightface's script prints it: {told}", soft_wrap=True)
    elif val:
        note(f"no VAL at FAR {val['far']:g}: {val['reason']}", style="yellow")
