"""Candidates of MTCNN in float64, for corners that float32 cannot place on either side of a whole pixel.

A candidate is cut from the image at whole pixels. If a corner lies within rounding error of one, engines and processors
would cut differently, which moves the face by up to a pixel. Such candidates, about one in five hundred, are computed
again here, in NumPy for every engine.
"""

from functools import cached_property

import numpy as np

from facepipe.detection.boxes import moved, square
from facepipe.detection.pyramid import STRIDE, WINDOW, pyramid
from facepipe.detection.resample import bins
from facepipe.detection.settings import DetectorSettings
from facepipe.weights import detector_weights

_ERROR = 1e-6
"""Bound of a corner's rounding error, as a fraction of the box's largest coordinate (measured: 2.7e-7)."""


def undecided(boxes: np.ndarray) -> np.ndarray:
    """Indices of the N×4 boxes with a corner within rounding error of a whole pixel."""
    scale = np.abs(boxes).max(axis=1, initial=1, keepdims=True)
    return np.flatnonzero((np.abs(boxes - np.rint(boxes)) <= _ERROR * scale).any(axis=1))


class ExactCandidates:
    """The squares that P-Net and R-Net propose, float64, one candidate at a time.

    Args:
        images: uint8 H×W×3, as searched.
        settings: of the search.
    """

    def __init__(self, images: list[np.ndarray], settings: DetectorSettings) -> None:
        self._images, self._settings = images, settings

    def proposed(self, image: int, level: int, column: int, row: int) -> np.ndarray:
        """The square after P-Net: float64 1×4, pixels counted from 1.

        Args:
            image: index of the image.
            level: of the pyramid.
            column, row: in P-Net's output.
        """
        pixels = self._images[image]
        size = pyramid((pixels.shape[0], pixels.shape[1]), self._settings)[level]
        corners = size.corners(np.array([[column, row]], np.float32))
        window = np.floor(np.concatenate(corners, 1)).astype(np.float64)
        rows = _window(pixels.shape[0], size.height, row)
        columns = _window(pixels.shape[1], size.width, column)
        return square(moved(window, self._networks.pnet(_means(pixels, rows, columns)), extra=0))

    def refined(self, image: int, level: int, column: int, row: int) -> np.ndarray:
        """The square after R-Net, as `proposed`."""
        box = self.proposed(image, level, column, row)
        left, top, right, bottom = np.trunc(box[0].astype(np.float32)).astype(np.int64).tolist()
        corners = (top - 1, bottom), (left - 1, right)
        rows, columns = (first + np.stack(bins(end - first, 24, np.arange(24))) for first, end in corners)
        return square(moved(box, self._networks.rnet(_means(self._images[image], rows, columns)), extra=1))

    @cached_property
    def _networks(self) -> "_Networks":
        return _Networks()


def _window(side: int, count: int, place: int) -> np.ndarray:
    """The bins seen by one output of P-Net: 2×12, or 2×11 at the end of the level, where its pooling rounds up."""
    return np.stack(bins(side, count, np.arange(place * STRIDE, min(place * STRIDE + WINDOW, count))))


def _means(pixels: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Means over bins, black outside the image: 1×3×h×w, values (x − 127.5)/128.

    Args:
        pixels: uint8 H×W×3.
        rows, columns: 2×h and 2×w, start and end of the bins in pixels.
    """
    down, across = (np.clip(edges, 0, side) for edges, side in zip((rows, columns), pixels.shape[:2], strict=True))
    part = pixels[down.min() : down.max(), across.min() : across.max()].astype(np.int64)
    table = np.pad(part.cumsum(0).cumsum(1), [(1, 0), (1, 0), (0, 0)])
    band = table[down[1] - down.min()] - table[down[0] - down.min()]
    sums = band[:, across[1] - across.min()] - band[:, across[0] - across.min()]
    area = (rows[1] - rows[0])[:, None, None] * (columns[1] - columns[0])[:, None]
    return ((sums / area - 127.5) / 128).transpose(2, 0, 1)[None]


class _Networks:
    """Box regression of P-Net and R-Net with the published weights."""

    def __init__(self) -> None:
        from safetensors.numpy import load_file

        weights = load_file(detector_weights("mtcnn"))
        self._weights = {name: values.astype(np.float64) for name, values in weights.items()}

    def pnet(self, x: np.ndarray) -> np.ndarray:
        """1×3×12×12 to offsets 1×4."""
        x = _pooled(self._conv(x, "pnet", 1), 2)
        x = self._conv(self._conv(x, "pnet", 2), "pnet", 3)
        head = self._weights["pnet.conv4_2.weight"][:, :, 0, 0]
        return x[:, :, 0, 0] @ head.T + self._weights["pnet.conv4_2.bias"]

    def rnet(self, x: np.ndarray) -> np.ndarray:
        """1×3×24×24 to offsets 1×4."""
        x = _pooled(self._conv(x, "rnet", 1), 3)
        x = self._conv(_pooled(self._conv(x, "rnet", 2), 3), "rnet", 3)
        # The published dense layers take columns, rows, channels.
        x = self._activated(self._dense(x.transpose(0, 3, 2, 1).reshape(1, -1), "rnet.dense4"), "rnet.prelu4")
        return self._dense(x, "rnet.dense5_2")

    def _conv(self, x: np.ndarray, network: str, number: int) -> np.ndarray:
        weight, bias = (self._weights[f"{network}.conv{number}.{part}"] for part in ("weight", "bias"))
        windows = np.lib.stride_tricks.sliding_window_view(x, weight.shape[2:], (2, 3))
        summed = np.tensordot(windows, weight, ([1, 4, 5], [1, 2, 3])) + bias
        return self._activated(summed, f"{network}.prelu{number}").transpose(0, 3, 1, 2)

    def _dense(self, x: np.ndarray, layer: str) -> np.ndarray:
        return x @ self._weights[f"{layer}.weight"].T + self._weights[f"{layer}.bias"]

    def _activated(self, x: np.ndarray, layer: str) -> np.ndarray:
        """PReLU over the last axis."""
        return np.where(x > 0, x, x * self._weights[f"{layer}.weight"])


def _pooled(x: np.ndarray, kernel: int) -> np.ndarray:
    """Maximum over windows at stride 2, which may end beyond the edge."""
    missing = [(side - kernel) % 2 for side in x.shape[2:]]
    padded = np.pad(x, [(0, 0), (0, 0), (0, missing[0]), (0, missing[1])], constant_values=-np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (kernel, kernel), (2, 3))
    return windows[:, :, ::2, ::2].max(axis=(4, 5))
