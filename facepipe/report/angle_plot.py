"""Histogram of angles within and between people."""

from pathlib import Path

import numpy as np

from facepipe.report.figure_file import entitle, require_plot, write_figure
from facepipe.score.angles import PairAngles
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
