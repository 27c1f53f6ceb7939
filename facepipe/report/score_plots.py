"""Figures of scores: histograms of angles, and reliability of probabilities."""

from pathlib import Path

import numpy as np

from facepipe.report.figure_file import entitle, require_plot, write_figure
from facepipe.score.angles import PairAngles
from facepipe.score.reliability import Reliability
from facepipe.tables import counted


def plot_angles(angles: PairAngles, title: str, path: Path) -> None:
    """Write the two histograms, each of area 1, over 0 to 180 degrees.

    Raises:
        DatasetError, MissingExtraError: as `require_plot`.
    """
    require_plot(path)
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.4), layout="constrained")
    axes = figure.add_subplot()
    bins = np.linspace(0, 180, 91).tolist()
    same, different = (counted(len(each), "pair") for each in (angles.same, angles.different))
    axes.hist(angles.same, bins, density=True, alpha=0.7, label=f"same person, {same}")
    axes.hist(angles.different, bins, density=True, alpha=0.5, label=f"different, {different}")
    axes.set(xlabel="angle, degrees", ylabel="share per degree", xlim=(0, 180))
    entitle(axes, title)
    axes.legend(frameon=False)
    write_figure(figure, path)


def plot_reliability(found: Reliability, title: str, path: Path) -> None:
    """Write the plot; on the dashed line, stated and observed probabilities agree.

    Raises:
        DatasetError, MissingExtraError: as `require_plot`.
    """
    require_plot(path)
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 5), layout="constrained")
    axes, counts = figure.subplots(2, 1, height_ratios=[3, 1], sharex=True)
    axes.plot([0, 1], [0, 1], "--", color="grey", linewidth=1)
    axes.plot(found.stated, found.observed, "o-")
    axes.set(ylabel="share of genuine pairs", xlim=(0, 1), ylim=(0, 1))
    entitle(axes, title)
    counts.bar(found.stated, found.pairs, width=0.03)
    counts.set(xlabel="stated probability", ylabel="pairs", yscale="log")
    write_figure(figure, path)
