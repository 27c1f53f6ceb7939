"""ONNX's numbers for the types of tensors, as NumPy has them."""

from typing import Any

import numpy as np

TYPES: dict[int, np.dtype[Any]] = {
    1: np.dtype("<f4"), 2: np.dtype("u1"), 3: np.dtype("i1"), 4: np.dtype("<u2"), 5: np.dtype("<i2"),
    6: np.dtype("<i4"), 7: np.dtype("<i8"), 9: np.dtype("?"), 10: np.dtype("<f2"), 11: np.dtype("<f8"),
    12: np.dtype("<u4"), 13: np.dtype("<u8"),
}  # fmt: skip
_NUMBERS = {dtype: number for number, dtype in TYPES.items()}


def number_of(values: np.ndarray) -> int:
    """ONNX's number of an array's type."""
    return _NUMBERS[values.dtype.newbyteorder("<")]
