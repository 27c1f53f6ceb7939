"""Summary of a verification result."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from facepipe.protocols.summary import NONE, percent, tar_table
from facepipe.tables import Note, Summary, Table, TextLine, counted, figures

if TYPE_CHECKING:
    from facepipe.protocols.verification.pairs import PairsResult

_USED = {"centre": "; their centre was used", "skip": "; their pairs were skipped", "fail": ""}


def pairs_summary(result: "PairsResult", count: str, undetected: int, reasons: dict[str, str]) -> Iterator[Summary]:
    """Folds, then TAR at FAR, then notes on missed faces and missing figures.

    Args:
        result: the result.
        count: the number of items, such as ``13233 images``.
        undetected: number of items without a detected face.
        reasons: figure → why it is missing.
    """
    settings = result.settings
    damage = settings.get("damage")
    title = result.named if damage is None else f"{result.named} with {damage} damage"
    about = f"{title}, {settings['model']}, score {settings['score']}"
    if result.folds:
        yield from _folds(result, about)
    pairs = f"{result.genuine:,} genuine and {counted(result.impostor, 'impostor pair')}"
    yield from tar_table(result.tar, f"{about}, {pairs}")
    area = NONE if result.auc is None else f"{result.auc:.5f}"
    yield TextLine(f"equal error rate {percent(result.eer)}, area under the ROC curve {area}")
    for name, reason in reasons.items():
        yield Note(f"no {name}: {reason}", warning=True)
    used = _USED[settings["on_miss"]] if undetected else ""
    missed = f"{undetected} of {count} had no detected face{used}"
    yield Note(missed)
    if result.unreadable:
        message = f"{result.unreadable} of {count} missing or unreadable, such as {result.why_unreadable}"
        yield Note(message, warning=True)
    if result.skipped_pairs:
        total = result.pairs + result.skipped_pairs
        yield Note(f"{result.skipped_pairs} of {counted(total, 'pair')} left out", warning=True)
    if result.accuracy is not None:
        yield TextLine(_quotation(result, title, missed if undetected else ""))


def _quotation(result: "PairsResult", title: str, missed: str) -> str:
    """The result in one self-contained line for quoting."""
    settings = result.settings
    error = NONE if result.std_error is None else f"{100 * result.std_error:.2f}"
    parts = [
        f"mean and standard error of {counted(len(result.folds), 'fold')}, {counted(result.pairs, 'pair')}",
        f"rule {settings['rule']}",
        f"score {settings['score']}",
        f"model {settings['model']}, flip {settings['flip']}",
        *([settings["precision"]] if settings.get("precision") else []),
        *([missed] if missed else []),
        *([f"{counted(result.skipped_pairs, 'pair')} left out"] if result.skipped_pairs else []),
    ]
    return f"{title}: {100 * (result.accuracy or 0):.2f} ± {error} % ({'; '.join(parts)})"


def _folds(result: "PairsResult", about: str) -> Iterator[Summary]:
    rows = [
        (number, percent(fold.accuracy), f"{fold.threshold:.4f}", fold.pairs)
        for number, fold in enumerate(result.folds, 1)
    ]
    mean = ("mean", percent(result.accuracy), "", result.pairs)
    errors = [("standard error", percent(result.std_error)), ("standard deviation", percent(result.std_dev))]
    footer = [mean, *((*row, "", "") for row in errors)]
    columns = figures("fold", "accuracy", "threshold", "pairs")
    yield Table(f"{about}, rule {result.settings['rule']}", columns, rows, footer)
    val = result.val
    if val is not None and val.val is not None:
        message = f"{percent(val.val)}, standard deviation {percent(val.std_dev)}, FAR reached {val.reached:.5f}"
        yield TextLine(f"VAL at FAR {val.far:g}, as in insightface's script: {message}")
    elif val is not None:
        yield Note(f"no VAL at FAR {val.far:g}: {val.reason}", warning=True)
