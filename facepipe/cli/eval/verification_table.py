"""What people see of a verification result."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from facepipe.cli.screen import note, print_json, say
from facepipe.cli.table import figures, show_table

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
    from facepipe.protocols.verification.ytf import VideosResult

    settings = result.settings
    about = f"{title}, {settings['model']}, score {settings['score']}"
    if result.folds:
        _show_folds(result, about)
    show_tar(result.tar, f"{about}, {result.genuine} genuine and {result.impostor} impostor pairs")
    say(f"equal error rate {percent(result.eer)}, area under the ROC curve {_area(result.auc)}")
    for name, reason in result.reasons.items():
        note(f"no {name}: {reason}", style="yellow")
    used = _USED[settings["on_miss"]] if result.undetected else ""
    count = f"{result.videos} videos" if isinstance(result, VideosResult) else f"{result.images} images"
    missed = f"{result.undetected} of {count} had no detected face{used}"
    note(missed)
    if result.unreadable:
        told = f"{result.unreadable} of {count} are missing or could not be read, such as {result.why_unreadable}"
        note(told, style="yellow")
    if result.skipped_pairs:
        note(f"{result.skipped_pairs} of {result.pairs + result.skipped_pairs} pairs were left out", style="yellow")
    if result.accuracy is not None:
        say(_quotation(result, title, missed))


def _quotation(result: "VerificationResult | VideosResult", title: str, missed: str) -> str:
    """The result in one line that says of itself what it is."""
    settings = result.settings
    error = NONE if result.std_error is None else f"{100 * result.std_error:.2f}"
    parts = [
        f"mean and standard error of {len(result.folds)} folds, {result.pairs} pairs",
        f"rule {settings['rule']}",
        f"score {settings['score']}",
        f"model {settings['model']}, flip {settings['flip']}",
        *([settings["precision"]] if settings.get("precision") else []),
        *([missed] if result.undetected else []),
        *([f"{result.skipped_pairs} pairs left out"] if result.skipped_pairs else []),
    ]
    return f"{title}: {100 * (result.accuracy or 0):.2f} ± {error} % ({'; '.join(parts)})"


def show_tar(points: "Sequence[OperatingPoint]", title: str) -> None:
    """TAR at FAR; a dash and the reason where there is none."""
    rows = []
    for point in points:
        if point.tar is None or point.low is None or point.high is None:
            rows.append((f"{point.far:g}", NONE, NONE, NONE))
        else:
            interval = f"{100 * point.low:.2f} … {100 * point.high:.2f}"
            threshold = NONE if point.threshold is None else f"{point.threshold:.4f}"
            rows.append((f"{point.far:g}", percent(point.tar), interval, threshold))
    show_table(figures("FAR", "TAR", "95 % interval", "threshold"), rows, title)
    say_missing("TAR at FAR", [(point.far, point.reason) for point in points])


def say_missing(what: str, reasons: "Iterable[tuple[float, str]]") -> None:
    """Why there is no figure, one line a reason.

    Args:
        what: such as ``TAR at FAR``.
        reasons: rate → reason, empty where there is a figure.
    """
    rates: dict[str, list[str]] = {}
    for rate, reason in reasons:
        rates.setdefault(reason, []).append(f"{rate:g}")
    for reason, some in rates.items():
        if reason:
            say(f"no {what} {', '.join(some)}: {reason}")


def percent(share: float | None) -> str:
    """A share as ``99.12 %``, or a dash."""
    return NONE if share is None else f"{100 * share:.2f} %"


def _area(share: float | None) -> str:
    return NONE if share is None else f"{share:.5f}"


def _show_folds(result: "VerificationResult | VideosResult", about: str) -> None:
    rows = [
        (number, percent(fold.accuracy), f"{fold.threshold:.4f}", fold.pairs)
        for number, fold in enumerate(result.folds, 1)
    ]
    mean = ("mean", percent(result.accuracy), "", result.pairs)
    errors = [("standard error", percent(result.std_error)), ("standard deviation", percent(result.std_dev))]
    footer = [mean, *((*row, "", "") for row in errors)]
    show_table(
        figures("fold", "accuracy", "threshold", "pairs"), rows, f"{about}, rule {result.settings['rule']}", footer
    )
    val = result.val
    if val is not None and val.val is not None:
        told = f"{percent(val.val)}, standard deviation {percent(val.std_dev)}, FAR reached {val.reached:.5f}"
        say(f"VAL at FAR {val.far:g}, as insightface's script prints it: {told}")
    elif val is not None:
        note(f"no VAL at FAR {val.far:g}: {val.reason}", style="yellow")
