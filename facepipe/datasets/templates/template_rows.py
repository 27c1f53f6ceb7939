"""Map template numbers to rows."""

from pathlib import Path

import numpy as np

from facepipe.errors import DatasetError

_TABLE = 1 << 25


class TemplateRows:
    """Template number → row, by a lookup table if the numbers are small, as in IJB.

    Args:
        templates: int64 T, ascending template numbers.
    """

    def __init__(self, templates: np.ndarray) -> None:
        self._templates = templates
        self._table: np.ndarray | None = None
        if len(templates) and templates[0] >= 0 and templates[-1] < _TABLE:
            self._table = np.full(int(templates[-1]) + 2, -1, np.int32)
            self._table[templates] = np.arange(len(templates), dtype=np.int32)

    def __call__(self, wanted: np.ndarray, path: Path) -> np.ndarray:
        """Rows of ``wanted`` numbers, int32.

        Raises:
            DatasetError: one does not exist; names ``path``, the file that refers to it.
        """
        if self._table is not None:
            # The last entry of the table is −1, for numbers outside of it.
            rows = self._table[np.where((wanted >= 0) & (wanted < len(self._table)), wanted, -1)]
        else:
            rows = np.searchsorted(self._templates, wanted).astype(np.int32)
            rows[rows == len(self._templates)] = 0
            rows[self._templates[rows] != wanted] = -1
        if len(rows) and rows.min() < 0:
            raise DatasetError(f"{path}: template {wanted[rows.argmin()]} has no faces in the list of faces")
        return rows
