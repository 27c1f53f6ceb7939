"""Error against reject, the curves of several confidences in one figure."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from facepipe.errors import DatasetError, MissingExtraError
from facepipe.files import replacing
from facepipe.protocols.error_reject import ErrorReject

# Without a date, equal curves give equal bytes.
_METADATA: dict[str, dict[str, Any]] = {".png": {}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
_STYLES = {"ideal": "--", "random": ":"}


def require_plot(path: Path) -> None:
    """Refuse a figure that could not be written, before long work is done for it.

    Raises:
        DatasetError: another ending than ``.png``, ``.svg`` or ``.pdf``.
        MissingExtraError: matplotlib is not installed.
    """
    if path.suffix.lower() not in _METADATA:
        raise DatasetError(f"{path}: cannot draw to this format; use {', '.join(_METADATA)}")
    if find_spec("matplotlib") is None:
        raise MissingExtraError("a plot needs matplotlib; pip install 'facepipe[plot]'")


def plot_error_reject(path: Path, curves: Mapping[str, ErrorReject], title: str = "") -> None:
    """Draw FNMR over the rejected share, one line for each confidence, and write the figure.

    Args:
        path: ends in ``.png``, ``.svg`` or ``.pdf``.
        curves: name → curve, at least one; ``ideal`` is dashed and ``random`` dotted, both grey.
        title: above the figure.

    Raises:
        DatasetError, MissingExtraError: as `require_plot`.
    """
    require_plot(path)
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.subplots()
    for name, curve in curves.items():
        style = _STYLES.get(name, "-")
        colour = "0.45" if name in _STYLES else None
        shares = [100 * share for share in curve.rejected]
        axes.plot(shares, curve.fnmr, style, label=f"{name} (AUERC {curve.area:.4f})", color=colour)
    fmr = next(iter(curves.values())).fmr
    axes.set(xlabel="pairs rejected, %", ylabel=f"FNMR at the threshold of FMR {fmr:g}", title=title)
    axes.set(xlim=(0, 100), ylim=(0, None))
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    suffix = path.suffix.lower()
    with replacing(path) as temporary, rc_context({"svg.hashsalt": "facepipe"}):
        figure.savefig(temporary, format=suffix[1:], dpi=150, metadata=_METADATA[suffix])
