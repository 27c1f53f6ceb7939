"""Error-versus-reject curves of several confidences, as a CSV table and as a figure."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from facepipe.files import replacing
from facepipe.protocols.risk.error_reject import ErrorReject
from facepipe.protocols.risk.risk_controlled import RiskResult
from facepipe.protocols.risk.table import RiskRow
from facepipe.report.figure_file import entitle, require_plot, write_figure

RISK_COLUMNS = ("confidence", "rejected", "kept", "fnmr", "fmr", "accuracy", "std_error")
_STYLES = {"ideal": "--", "random": ":"}


def write_risk_csv(path: Path, result: RiskResult) -> None:
    """One line per confidence and rejected share; accuracies only where ProbFace's table has them.

    Args:
        path: output file, written atomically.
        result: from `facepipe.protocols.risk.risk_controlled.evaluate_risk`.
    """
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(RISK_COLUMNS)
        for name, curve in result.curves.items():
            table.writerows(_lines(name, curve, result.table.get(name, ())))


def _lines(name: str, curve: ErrorReject, rows: tuple[RiskRow, ...]) -> list[list[Any]]:
    points: dict[float, list[Any]] = {
        share: [name, share, kept, fnmr, fmr, "", ""]
        for share, kept, fnmr, fmr in zip(curve.rejected, curve.kept, curve.fnmr, curve.kept_fmr, strict=True)
    }
    for row in rows:
        line = points.setdefault(row.rejected, [name, row.rejected, row.kept, "", "", "", ""])
        line[5:] = [row.accuracy, row.std_error]
    return [points[share] for share in sorted(points)]


def plot_error_reject(path: Path, curves: Mapping[str, ErrorReject], title: str = "") -> None:
    """Draw FNMR over the rejected share, one line for each confidence, and write the figure.

    Args:
        path: its extension sets the format, see `require_plot`.
        curves: name → curve, at least one; ``ideal`` is dashed and ``random`` dotted, both grey.
        title: above the figure.

    Raises:
        DatasetError, MissingExtraError: as `require_plot`.
    """
    require_plot(path)
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.subplots()
    for name, curve in curves.items():
        style = _STYLES.get(name, "-")
        colour = "0.45" if name in _STYLES else None
        shares = [100 * share for share in curve.rejected]
        axes.plot(shares, curve.fnmr, style, label=f"{name} (AUERC {curve.area:.4f})", color=colour)
    fmr = next(iter(curves.values())).fmr
    axes.set(xlabel="pairs rejected, %", ylabel=f"FNMR at the threshold of FMR {fmr:g}")
    entitle(axes, title)
    axes.set(xlim=(0, 100), ylim=(0, None))
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    write_figure(figure, path, dpi=150)
