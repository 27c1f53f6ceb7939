"""Error against reject, the curves of several confidences in one figure."""

from collections.abc import Mapping
from pathlib import Path

from facepipe.protocols.risk.error_reject import ErrorReject
from facepipe.report.figure_file import entitle, require_plot, write_figure

_STYLES = {"ideal": "--", "random": ":"}


def plot_error_reject(path: Path, curves: Mapping[str, ErrorReject], title: str = "") -> None:
    """Draw FNMR over the rejected share, one line for each confidence, and write the figure.

    Args:
        path: its ending says the format, see `require_plot`.
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
