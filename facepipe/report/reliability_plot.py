"""A reliability plot: stated probability against what came true."""

from pathlib import Path

from facepipe.report.figure_file import entitle, require_plot, write_figure
from facepipe.score.reliability import Reliability


def plot_reliability(found: Reliability, title: str, path: Path) -> None:
    """Write the plot; on the dashed line, probabilities come true as stated.

    Raises:
        DatasetError, MissingExtraError: as `require_plot`.
    """
    require_plot(path)
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 5), layout="constrained")
    axes, counts = figure.subplots(2, 1, height_ratios=[3, 1], sharex=True)
    axes.plot([0, 1], [0, 1], "--", color="grey", linewidth=1)
    axes.plot(found.stated, found.observed, "o-")
    axes.set(ylabel="share that is one person", xlim=(0, 1), ylim=(0, 1))
    entitle(axes, title)
    counts.bar(found.stated, found.pairs, width=0.03)
    counts.set(xlabel="stated probability", ylabel="pairs", yscale="log")
    write_figure(figure, path)
