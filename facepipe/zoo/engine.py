"""Which engine runs a job with models."""

from collections.abc import Sequence
from pathlib import Path

from facepipe.engines import choose_engine
from facepipe.installed import has_torch
from facepipe.zoo.loading import has_graph


def engine_for(
    models: Sequence[str | Path],
    engine: str = "auto",
    *,
    device: str = "auto",
    photos: int | None = None,
    precision: str = "",
) -> str:
    """`facepipe.engines.choose_engine` for these models: ``auto`` takes PyTorch where one of them has no graph.

    Args:
        models: names and paths, as `facepipe.zoo.load` takes them.
        engine, device, photos, precision: as of `choose_engine`.
    """
    chosen = choose_engine(engine, device=device, photos=photos, precision=precision)
    if chosen == "onnx" and engine == "auto" and has_torch() and not all(map(has_graph, models)):
        return "torch"
    return chosen
