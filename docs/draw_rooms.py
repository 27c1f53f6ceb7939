"""Draw docs/rooms.png from the imports: `python docs/draw_rooms.py`. Needs the extras `dev` and `plot`."""

import tomllib
from pathlib import Path

import grimp
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

ROOT = Path(__file__).resolve().parents[1]


def layers() -> list[list[str]]:
    """The layers of the import contract, from the top, each a list of rooms."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    rows = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    return [row.replace("|", ":").replace(" ", "").split(":") for row in rows]


def counts(rooms: list[str]) -> dict[tuple[str, str], int]:
    """(importing room, imported room) → number of imports."""
    graph = grimp.build_graph("facepipe")
    inside = {room: {room, *graph.find_descendants(room)} for room in rooms if room in graph.modules}
    return {
        (above, below): total
        for above, own in inside.items()
        for below, others in inside.items()
        if above != below
        and (total := sum(len(graph.find_modules_directly_imported_by(module) & others) for module in own))
    }


def main() -> None:
    """Draw rooms in the rows of the contract, with an arrow for each import, thicker for more imports."""
    rows = layers()
    places = {
        room: (column - (len(row) - 1) / 2, -number) for number, row in enumerate(rows) for column, room in enumerate(row)
    }
    figure, axes = plt.subplots(figsize=(10, 0.8 * len(rows)))
    for (above, below), total in counts(list(places)).items():
        axes.annotate(
            "",
            xy=places[below],
            xytext=places[above],
            arrowprops={
                "arrowstyle": "-|>", "color": "#4477aa", "alpha": 0.35, "lw": min(0.5 + total / 12, 4),
                "shrinkA": 14, "shrinkB": 14, "connectionstyle": "arc3,rad=0.15",
            },
        )  # fmt: skip
    for room, (x, y) in places.items():
        name = room.removeprefix("facepipe.")
        box = {"boxstyle": "round,pad=0.4", "fc": "white", "ec": "#333333"}
        axes.text(x, y, name, ha="center", va="center", fontsize=10, bbox=box)
    axes.set_xlim(-2.6, 2.6)
    axes.set_ylim(-len(rows) + 0.5, 0.5)
    axes.axis("off")
    figure.savefig(ROOT / "docs" / "rooms.png", dpi=110, bbox_inches="tight")


if __name__ == "__main__":
    main()
