"""TensorFlow's SAME padding, for networks that were trained in TensorFlow."""

import torch.nn.functional as F
from torch import Tensor


def pad_same(x: Tensor) -> Tensor:
    """Zero-pad maps N×C×h×w for a 3×3 convolution of stride 2 without padding.

    SAME gives ceil(h/2) rows for h. It pads one row below and, if h is odd, one above; columns likewise, right and
    left. PyTorch's padding = 1 pads all four sides, which on maps of even size shifts the kernels up and left by one
    pixel.
    """
    odd_rows, odd_columns = x.shape[-2] % 2, x.shape[-1] % 2
    return F.pad(x, (odd_columns, 1, odd_rows, 1))
