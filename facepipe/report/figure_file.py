"""Files for matplotlib figures: checking the format before long work, and writing."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facepipe.errors import DatasetError, MissingExtraError
from facepipe.files import replacing, require_writable
from facepipe.shown import shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Without a date, equal figures give equal bytes. JPEG has no metadata.
_METADATA: dict[str, dict[str, Any] | None] = {
    ".png": {},
    ".jpg": None,
    ".svg": {"Date": None},
    ".pdf": {"CreationDate": None},
}


def require_plot(path: Path) -> None:
    """Raise an error for a figure that cannot be written, before long work is done for it.

    Raises:
        DatasetError: an extension other than ``.png``, ``.jpg``, ``.svg`` or ``.pdf``.
        MissingExtraError: matplotlib is not installed.
        OSError: ``path`` is a folder, or cannot be written.
    """
    require_writable(path)
    if path.suffix.lower() not in _METADATA:
        raise DatasetError(f"{path}: cannot write a figure in this format; use {', '.join(_METADATA)}")
    if find_spec("matplotlib") is None:
        raise MissingExtraError("a plot needs matplotlib; pip install 'facepipe[plot]'")


def write_figure(figure: "Figure", path: Path, dpi: int = 120) -> None:
    """Write a figure to a path accepted by `require_plot`.

    Raises:
        OSError: the file cannot be written; an existing file is left unchanged.
    """
    from matplotlib import rc_context

    suffix = path.suffix.lower()
    with replacing(path) as temporary, rc_context({"svg.hashsalt": "facepipe"}):
        figure.savefig(temporary, format=suffix[1:], dpi=dpi, metadata=_METADATA[suffix])


def entitle(axes: Any, title: str) -> None:
    """Set a title with untrusted names: it is escaped and not parsed as a formula."""
    axes.set_title(shown(title), parse_math=False)
