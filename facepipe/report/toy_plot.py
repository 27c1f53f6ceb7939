"""The toy picture: features in the plane and on the sphere, and their angles to the class means."""

from pathlib import Path
from typing import Any

import numpy as np

from facepipe.report.figure_file import require_plot, write_figure
from facepipe.train.toy import ToyFeatures


def plot_toy(plane: list[ToyFeatures], space: list[ToyFeatures], path: Path) -> None:
    """One column per loss: 2-D features, directions of 3-D features, angles to the class means.

    Args:
        plane: 2-D features, one entry per loss.
        space: 3-D features of the same losses, in the same order.
        path: output file; its extension sets the format.

    Raises:
        DatasetError, MissingExtraError: as `require_plot`.
    """
    require_plot(path)
    from matplotlib.figure import Figure

    columns = len(plane)
    figure = Figure(figsize=(3.2 * columns, 9.6), layout="constrained")
    for column, (flat, deep) in enumerate(zip(plane, space, strict=True), 1):
        _plane(figure.add_subplot(3, columns, column), flat)
        _sphere(figure.add_subplot(3, columns, columns + column, projection="3d"), deep)
        _angles(figure.add_subplot(3, columns, 2 * columns + column), deep)
    write_figure(figure, path, dpi=110)


def _plane(axes: Any, toy: ToyFeatures) -> None:
    axes.scatter(*toy.features.T, c=toy.labels, cmap="tab10", s=6)
    reach = np.abs(toy.features).max() * 1.05
    for direction in _unit(toy.means) * reach:
        axes.plot([0, direction[0]], [0, direction[1]], color="0.7", linewidth=0.7, zorder=0)
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), xticks=[], yticks=[], aspect="equal")
    axes.set_title(f"{toy.loss.title}\nFisher {toy.fisher:.3f}, accuracy {100 * toy.accuracy:.1f} %", fontsize=9)


def _sphere(axes: Any, toy: ToyFeatures) -> None:
    turn, rise = np.meshgrid(np.linspace(0, 2 * np.pi, 25), np.linspace(0, np.pi, 13))
    ball = np.cos(turn) * np.sin(rise), np.sin(turn) * np.sin(rise), np.cos(rise)
    axes.plot_wireframe(*ball, color="0.85", linewidth=0.3)
    axes.scatter(*_unit(toy.features).T, c=toy.labels, cmap="tab10", s=5, depthshade=False)
    axes.set_axis_off()
    axes.set_box_aspect((1, 1, 1), zoom=1.4)
    axes.set_title(f"Fisher {toy.fisher:.3f}, accuracy {100 * toy.accuracy:.1f} %", fontsize=9)


def _angles(axes: Any, toy: ToyFeatures) -> None:
    angle = np.degrees(np.arccos(np.clip(_unit(toy.features) @ _unit(toy.means).T, -1, 1)))
    same = toy.labels[:, None] == np.arange(len(toy.means))
    bins = np.linspace(0, 180, 46).tolist()
    axes.hist(angle[same], bins, density=True, alpha=0.7, label="own class")
    axes.hist(angle[~same], bins, density=True, alpha=0.5, label="other classes")
    axes.set(xlabel="angle of 3-D features, degrees", yticks=[], xlim=(0, 180))
    axes.legend(fontsize=7, frameon=False)


def _unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=1, keepdims=True)
