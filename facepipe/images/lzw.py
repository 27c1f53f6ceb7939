"""LZW as GIF and TIFF have it: whether a stream decodes to as many bytes as it must, without decoding it.

Decoders stop when the picture is full and say nothing of what is left, so a piece that was overwritten goes unnoticed
wherever its codes happen to be valid. How long each code's string is follows from the codes alone.
"""

import functools
from dataclasses import dataclass

import numpy as np

_MOST = 4096
"""Codes have 12 bits at most (GIF89a, appendix F; TIFF 6.0, section 13)."""
_LAST = 3
"""Codes at the end that may be more than the picture needs: writers that leave the end code out fill the last byte."""
_FIRST_LOOK = 512


@dataclass(frozen=True)
class Lzw:
    """A kind of LZW.

    Attributes:
        bits: of a literal, 2 to 8.
        early: whether codes grow by a bit one entry early, as TIFF's do.
        high_first: whether the highest bit of a byte comes first, as in TIFF.
    """

    bits: int = 8
    early: bool = True
    high_first: bool = True

    @property
    def clear(self) -> int:
        """The code that empties the table; the next one ends the stream."""
        return 1 << self.bits


def lzw_damage(data: bytes, length: int, kind: Lzw) -> str:
    """What is wrong with a stream that must decode to ``length`` bytes; empty where nothing is."""
    stream = np.frombuffer(data + bytes(4), np.uint8).astype(np.uint32)
    at, total, look = 0, 0, _FIRST_LOOK
    while True:
        codes, used, end = _block(stream, len(data) * 8, at, kind, look)
        if not _valid(codes, kind):
            return "a code of its LZW stream is not in the table"
        lengths = _lengths(codes, kind)
        total += int(lengths.sum())
        look, at = max(64, 2 * len(codes)), at + used
        if end is None or end == kind.clear + 1:
            # Where the end code was left out.
            spare = np.cumsum(lengths[::-1])[:_LAST] if end is None else ()
            fits = total == length or any(total - int(more) == length for more in spare)
            return "" if fits else f"its LZW stream decodes to {total:,} bytes instead of {length:,}"


def _block(stream: np.ndarray, bits: int, at: int, kind: Lzw, look: int) -> tuple[np.ndarray, int, int | None]:
    """Codes from one clear code to the next, the bits that they take, and the code that ended them."""
    found: list[np.ndarray] = []
    count = 0
    while True:
        starts, widths = _layout(kind, count + look)
        starts, widths = starts[count:] + at, widths[count:]
        whole = int(np.searchsorted(starts + widths, bits, side="right"))
        codes = _read(stream, starts[:whole], widths[:whole], kind)
        ends = np.flatnonzero((codes == kind.clear) | (codes == kind.clear + 1))
        if len(ends):
            last = int(ends[0])
            found.append(codes[:last])
            return np.concatenate(found), int(starts[last] + widths[last]) - at, int(codes[last])
        found.append(codes)
        if whole < look:
            return np.concatenate(found), bits - at, None
        count, look = count + look, 2 * look


@functools.lru_cache(maxsize=64)
def _layout(kind: Lzw, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Where codes behind a clear code start, in bits, and how many bits each has."""
    free = kind.clear + 2 + np.maximum(np.arange(count) - 1, 0) + kind.early
    widths = np.clip(np.floor(np.log2(free)).astype(np.int64) + 1, kind.bits + 1, 12)
    return np.cumsum(widths) - widths, widths


def _read(stream: np.ndarray, starts: np.ndarray, widths: np.ndarray, kind: Lzw) -> np.ndarray:
    first, inside = starts >> 3, starts & 7
    a, b, c = (stream[first + number].astype(np.int64) for number in range(3))
    if kind.high_first:
        value = (a << 16 | b << 8 | c) >> (24 - inside - widths)
    else:
        value = (a | b << 8 | c << 16) >> inside
    return value & ((1 << widths) - 1)


def _valid(codes: np.ndarray, kind: Lzw) -> bool:
    """Whether each code is a literal, or an entry that is there by then (or becomes one with it)."""
    known = np.minimum(kind.clear + 1 + np.arange(len(codes)), _MOST - 1)
    known[:1] = kind.clear - 1
    return bool(np.all(codes <= known))


def _lengths(codes: np.ndarray, kind: Lzw) -> np.ndarray:
    """Bytes that each code stands for. The entry made with a code is the string of the code before, and a byte."""
    entries = np.maximum(codes - kind.clear - 1, 0)  # 0: a literal; n: the entry made with code n
    above = np.concatenate([[0], entries[:-1]])[: _MOST - kind.clear - 1]
    more = (np.arange(len(above)) > 0).astype(np.int64)
    while above.any():
        more += more[above]
        above = above[above]
    return 1 + more[entries] if len(more) else entries
