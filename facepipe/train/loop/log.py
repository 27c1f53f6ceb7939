"""The log of a run: JSON Lines, and optionally TensorBoard."""

import json
import math
from collections.abc import Collection
from pathlib import Path
from typing import Any

from facepipe.errors import MissingExtraError

LOG = "log.jsonl"


class Log:
    """Appends to ``log.jsonl`` in the run folder: one object per line, with ``event`` and ``step``.

    A resumed run appends to the file; for steps logged twice, the later lines count.

    Args:
        run: the run folder.
        tensorboard: also log to TensorBoard.
        first_step: first step of this start.
        published: names used by a reproduced program, which TensorBoard shows without ``event/``.

    Raises:
        MissingExtraError: TensorBoard is requested but not installed.
    """

    def __init__(
        self, run: Path, tensorboard: bool = False, first_step: int = 0, published: Collection[str] = ()
    ) -> None:
        self._published = frozenset(published)
        self._lines = (run / LOG).open("a", encoding="utf-8")
        self._board = _board(run, first_step) if tensorboard else None

    def write(self, event: str, step: int, **values: Any) -> None:
        """Write one line and flush it; numbers also go to TensorBoard, as ``event/name``."""
        finite = {name: _plain(value) for name, value in values.items()}
        self._lines.write(json.dumps({"event": event, "step": step, **finite}, ensure_ascii=False) + "\n")
        self._lines.flush()
        if self._board is not None:
            for name, value in finite.items():
                if isinstance(value, int | float):
                    tag = name if event == "train" and name in self._published else f"{event}/{name}"
                    self._board.add_scalar(tag, value, step)

    def close(self) -> None:
        """Close both files."""
        self._lines.close()
        if self._board is not None:
            self._board.close()


def _plain(value: Any) -> Any:
    """JSON has no nan and inf: they become null."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _board(run: Path, first_step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingExtraError(
            "loop.tensorboard = true needs TensorBoard: pip install 'facepipe[train]', or set it to false"
        ) from error
    return SummaryWriter(str(run / "tensorboard"), purge_step=first_step)
