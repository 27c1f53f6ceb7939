"""TensorFlow's SAME padding, which networks that come from TensorFlow were trained with."""

import torch.nn.functional as F
from torch import Tensor


def pad_same(x: Tensor) -> Tensor:
    """Zeros around maps N×C×h×w for a 3×3 convolution of stride 2 without padding of its own.

    SAME gives ceil(h/2) rows for h. It pads one row below; where h is odd, one above as well. Columns likewise, to the
    right and to the left. PyTorch's padding = 1 pads all four sides; on maps of even size its
    kernels then lie one pixel further up and left.
    """
    odd_rows, odd_columns = x.shape[-2] % 2, x.shape[-1] % 2
    return F.pad(x, (odd_columns, 1, odd_rows, 1))
