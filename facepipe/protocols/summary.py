"""Summaries of results: percentages, tables, and reasons for missing figures."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from facepipe.tables import Summary, Table, TextLine, figures

NONE = "–"
_MORE = {"std": "standard deviation", "lower": "mean − std"}


def percent(share: float | None) -> str:
    """A share as ``99.12 %``, or a dash."""
    return NONE if share is None else f"{100 * share:.2f} %"


def missing_lines(what: str, reasons: Iterable[tuple[float, str]]) -> Iterator[Summary]:
    """Why figures are missing, one line per reason.

    Args:
        what: such as ``TAR at FAR``.
        reasons: rate → reason, empty if there is a figure.
    """
    rates: dict[str, list[str]] = {}
    for rate, reason in reasons:
        rates.setdefault(reason, []).append(f"{rate:g}")
    for reason, listed in rates.items():
        if reason:
            yield TextLine(f"no {what} {', '.join(listed)}: {reason}")


def cmc_line(shares: Mapping[str, Any], title: str) -> TextLine:
    """Shares by rank, or their mean and standard deviation over trials."""
    parts = []
    for rank, value in shares.items():
        share, std = (value, None) if value is None or isinstance(value, float) else (value.share, value.std)
        parts.append(f"rank-{rank} {percent(share)}{'' if std is None else f' ± {100 * std:.2f}'}")
    return TextLine(f"{title}: {', '.join(parts)}")


def points_table(points: Sequence[Any], rate: str, share: str, title: str) -> Iterator[Summary]:
    """Table of points at given rates, with a dash and the reason for missing figures.

    Args:
        points: with fields ``rate``, ``share`` and ``reason``, and optionally ``low``, ``high``, ``std`` or ``lower``.
        rate, share: names of the fields and, in capitals, of the columns.
        title: of the table.
    """
    more = [name for name in ("std", "lower") if any(hasattr(point, name) for point in points)]
    interval = any(hasattr(point, "low") for point in points)
    titles = [rate.upper(), share.upper(), *(_MORE[name] for name in more)]
    rows = []
    for point in points:
        shares = [percent(getattr(point, name)) for name in (share, *more)]
        cells = [f"{getattr(point, rate):g}", *shares]
        rows.append((*cells, *([_interval(point)] if interval else [])))
    yield Table(title, figures(*titles, *(["95 % interval"] if interval else [])), rows)
    what = f"{share.upper()} at {rate.upper()}"
    yield from missing_lines(what, [(getattr(point, rate), point.reason) for point in points])


def ijb_title(settings: Mapping[str, Any], task: str) -> str:
    """Heading of the tables of IJB-B and IJB-C."""
    about = f"{settings['model']}, score {settings['score']}, pool {settings['pool']}"
    return f"IJB-{settings['subset']} {task}, {about}"


def tar_table(points: Sequence[Any], title: str) -> Iterator[Summary]:
    """Table of TAR at FAR with thresholds, with a dash and the reason for missing figures."""
    rows = []
    for point in points:
        if point.tar is None or point.low is None or point.high is None:
            rows.append((f"{point.far:g}", NONE, NONE, NONE))
        else:
            threshold = NONE if point.threshold is None else f"{point.threshold:.4f}"
            rows.append((f"{point.far:g}", percent(point.tar), _interval(point), threshold))
    yield Table(title, figures("FAR", "TAR", "95 % interval", "threshold"), rows)
    yield from missing_lines("TAR at FAR", [(point.far, point.reason) for point in points])


def _interval(point: Any) -> str:
    return NONE if point.low is None else f"{100 * point.low:.2f} … {100 * point.high:.2f}"
