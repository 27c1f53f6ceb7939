"""What people see of a verification result."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from facepipe.cli.screen import note, out, print_json

if TYPE_CHECKING:
    from facepipe.protocols import OperatingPoint, VerificationResult
    from facepipe.protocols.verification.ytf import VideosResult

NONE = "–"
_USED = {"centre": "; their centre was used", "skip": "; their pairs were skipped", "fail": ""}


def report_verification(result: "VerificationResult | VideosResult", title: str, as_json: bool) -> None:
    """JSON for programs, tables for people."""
    if as_json:
        print_json(result.to_dict())
        return
    damage = result.settings.get("damage")
    show_verification(result, title if damage is None else f"{title} with {damage} damage")


def show_verification(result: "VerificationResult | VideosResult", title: str) -> None:
    """Folds, then TAR at FAR, then notes on missed faces and on figures that the data cannot give."""
    from rich.markup import escape

    from facepipe.protocols.verification.ytf import VideosResult

    settings = result.settings
    about = f"{escape(title)}, {settings['model']}, score {settings['score']}"
    if result.folds:
        _show_folds(result, about)
    show_tar(result.tar, f"{about}, {result.genuine} genuine and {result.impostor} impostor pairs")
    out().print(f"equal error rate {percent(result.eer)}, area under the ROC curve {_area(result.auc)}")
    for name, reason in result.reasons.items():
        note(f"no {name}: {reason}", style="yellow")
    used = _USED[settings["on_miss"]] if result.undetected else ""
    count = f"{result.videos} videos" if isinstance(result, VideosResult) else f"{result.images} images"
    note(f"{result.undetected} of {count} had no detected face{used}")


def show_tar(points: "Sequence[OperatingPoint]", title: str) -> None:
    """TAR at FAR; a dash and the reason where there is none."""
    from rich.table import Table

    table = Table(title=title)
    for column in ("FAR", "TAR", "95 % interval", "threshold"):
        table.add_column(column, justify="right")
    for point in points:
        if point.tar is None or point.low is None or point.high is None:
            table.add_row(f"{point.far:g}", NONE, point.reason, NONE)
        else:
            interval = f"{100 * point.low:.2f} … {100 * point.high:.2f}"
            threshold = NONE if point.threshold is None else f"{point.threshold:.4f}"
            table.add_row(f"{point.far:g}", percent(point.tar), interval, threshold)
    out().print(table)


def percent(share: float | None) -> str:
    """A share as ``99.12 %``, or a dash."""
    return NONE if share is None else f"{100 * share:.2f} %"


def _area(share: float | None) -> str:
    return NONE if share is None else f"{share:.5f}"


def _show_folds(result: "VerificationResult | VideosResult", about: str) -> None:
    from rich.table import Table

    table = Table(title=f"{about}, rule {result.settings['rule']}")
    for column in ("fold", "accuracy", "threshold", "pairs"):
        table.add_column(column, justify="right")
    for number, fold in enumerate(result.folds, 1):
        table.add_row(str(number), percent(fold.accuracy), f"{fold.threshold:.4f}", str(fold.pairs))
    table.add_section()
    table.add_row("mean", percent(result.accuracy), "", str(result.pairs))
    table.add_row("standard error", percent(result.std_error), "", "")
    table.add_row("standard deviation", percent(result.std_dev), "", "")
    out().print(table)
    val = result.val
    if val is not None and val.val is not None:
        told = f"{percent(val.val)}, standard deviation {percent(val.std_dev)}, FAR reached {val.reached:.5f}"
        out().print(f"VAL at FAR {val.far:g}, as insightface's script prints it: {told}", soft_wrap=True)
    elif val is not None:
        note(f"no VAL at FAR {val.far:g}: {val.reason}", style="yellow")
