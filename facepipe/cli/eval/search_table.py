"""What people see of identification results."""

from collections.abc import Mapping, Sequence
from typing import Any

from facepipe.cli.eval.verification_table import NONE, percent, say_missing
from facepipe.cli.screen import say
from facepipe.cli.table import figures, show_table


def show_cmc(cmc: Mapping[str, Any], title: str) -> None:
    """Shares by rank: plain ones, or with mean and deviation over trials."""
    parts = []
    for rank, value in cmc.items():
        share, std = (value, None) if value is None or isinstance(value, float) else (value.share, value.std)
        parts.append(f"rank-{rank} {percent(share)}{_deviation(std)}")
    say(f"{title}: {', '.join(parts)}")


def show_points(points: Sequence[Any], rate: str, share: str, title: str) -> None:
    """Points at stated rates; a dash and the reason where there is no figure.

    Args:
        points: with fields ``rate``, ``share`` and ``reason``, and ``low``, ``high``, ``std`` or ``lower`` where there
            are such.
        rate, share: names of the fields, in capitals also those of the columns.
        title: of the table.
    """
    more = [name for name in ("std", "lower") if any(hasattr(point, name) for point in points)]
    interval = any(hasattr(point, "low") for point in points)
    titles = [rate.upper(), share.upper(), *(_TITLES[name] for name in more)]
    rows = []
    for point in points:
        shares = [percent(getattr(point, name)) for name in (share, *more)]
        cells = [f"{getattr(point, rate):g}", *shares]
        rows.append((*cells, *([_interval(point)] if interval else [])))
    show_table(figures(*titles, *(["95 % interval"] if interval else [])), rows, title)
    say_missing(f"{share.upper()} at {rate.upper()}", [(getattr(point, rate), point.reason) for point in points])


_TITLES = {"std": "standard deviation", "lower": "mean − std"}


def _interval(point: Any) -> str:
    return NONE if point.low is None else f"{100 * point.low:.2f} … {100 * point.high:.2f}"


def _deviation(std: float | None) -> str:
    return "" if std is None else f" ± {100 * std:.2f}"
