"""Quantised numbers as what they stand for."""

import numpy as np


def dequantize(
    quantized: np.ndarray, scale: np.ndarray, zero: np.ndarray | None = None, *, axis: int = 1, block: int = 0
) -> np.ndarray:
    """(quantized - zero)·scale, with one scale in all, one per index of ``axis``, or one per block.

    Args:
        quantized: integers of any shape.
        scale: scalar, vector along ``axis``, or shaped as ``quantized`` with ``axis`` divided by ``block``.
        zero: shaped as ``scale``; None is 0.
        axis: of the vector or the blocks.
        block: length of a block along ``axis``, the last one perhaps shorter; 0 for a scalar or vector scale.

    Returns:
        Shaped as ``quantized``, in the type of ``scale``.
    """

    def spread(parameter: np.ndarray) -> np.ndarray:
        if block:
            whole = np.repeat(parameter, block, axis=axis)
            return np.moveaxis(np.moveaxis(whole, axis, 0)[: quantized.shape[axis]], 0, axis)
        if parameter.size == 1:
            return parameter.reshape(())
        shape = [1] * quantized.ndim
        shape[axis] = parameter.size
        return parameter.reshape(shape)

    values = quantized.astype(np.float32)
    if zero is not None and np.any(zero):
        values -= spread(zero).astype(np.float32)
    return np.asarray(values * spread(scale), scale.dtype)


