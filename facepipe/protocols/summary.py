"""What results say to people: shares in per cent, and why there is no figure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from facepipe.tables import Summary, Table, TextLine, figures

NONE = "–"
_MORE = {"std": "standard deviation", "lower": "mean − std"}


def percent(share: float | None) -> str:
    """A share as ``99.12 %``, or a dash."""
    return NONE if share is None else f"{100 * share:.2f} %"


def missing_lines(what: str, reasons: Iterable[tuple[float, str]]) -> Iterator[Summary]:
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
            yield TextLine(f"no {what} {', '.join(some)}: {reason}")


def cmc_line(shares: Mapping[str, Any], title: str) -> TextLine:
    """Shares by rank: plain ones, or with mean and deviation over trials."""
    parts = []
    for rank, value in shares.items():
        share, std = (value, None) if value is None or isinstance(value, float) else (value.share, value.std)
        parts.append(f"rank-{rank} {percent(share)}{'' if std is None else f' ± {100 * std:.2f}'}")
    return TextLine(f"{title}: {', '.join(parts)}")


def points_table(at: Sequence[Any], rate: str, share: str, title: str) -> Iterator[Summary]:
    """Points at stated rates; a dash and the reason where there is no figure.

    Args:
        at: with fields ``rate``, ``share`` and ``reason``, and ``low``, ``high``, ``std`` or ``lower`` where there are
            such.
        rate, share: names of the fields, in capitals also those of the columns.
        title: of the table.
    """
    more = [name for name in ("std", "lower") if any(hasattr(point, name) for point in at)]
    interval = any(hasattr(point, "low") for point in at)
    titles = [rate.upper(), share.upper(), *(_MORE[name] for name in more)]
    rows = []
    for point in at:
        shares = [percent(getattr(point, name)) for name in (share, *more)]
        cells = [f"{getattr(point, rate):g}", *shares]
        rows.append((*cells, *([_interval(point)] if interval else [])))
    yield Table(title, figures(*titles, *(["95 % interval"] if interval else [])), rows)
    what = f"{share.upper()} at {rate.upper()}"
    yield from missing_lines(what, [(getattr(point, rate), point.reason) for point in at])


def ijb_title(settings: Mapping[str, Any], task: str) -> str:
    """What stands above the tables of IJB-B and IJB-C."""
    about = f"{settings['model']}, score {settings['score']}, pool {settings['pool']}"
    return f"IJB-{settings['subset']} {task}, {about}"


def tar_table(at: Sequence[Any], title: str) -> Iterator[Summary]:
    """TAR at FAR, with thresholds; a dash and the reason where there is none."""
    rows = []
    for point in at:
        if point.tar is None or point.low is None or point.high is None:
            rows.append((f"{point.far:g}", NONE, NONE, NONE))
        else:
            threshold = NONE if point.threshold is None else f"{point.threshold:.4f}"
            rows.append((f"{point.far:g}", percent(point.tar), _interval(point), threshold))
    yield Table(title, figures("FAR", "TAR", "95 % interval", "threshold"), rows)
    yield from missing_lines("TAR at FAR", [(point.far, point.reason) for point in at])


def _interval(point: Any) -> str:
    return NONE if point.low is None else f"{100 * point.low:.2f} … {100 * point.high:.2f}"
