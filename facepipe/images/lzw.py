"""LZW as in GIF and TIFF: checking that a stream decodes to the right number of bytes, without decoding it.

Decoders stop when the picture is complete and ignore the rest, so overwritten data goes unnoticed if its codes happen
to be valid. The length of each code's string follows from the codes alone.
"""

import functools
from dataclasses import dataclass

import numpy as np

_MOST = 4096
"""Codes have at most 12 bits (GIF89a, appendix F; TIFF 6.0, section 13)."""
_LAST = 3
"""Permitted surplus codes at the end: writers that omit the end code fill up the last byte."""
_FIRST_STEP = 512


@dataclass(frozen=True)
class Lzw:
    """A variant of LZW.

    Attributes:
        bits: bits of a literal, 2 to 8.
        early: whether codes grow by a bit one entry early, as in TIFF.
        high_first: whether the highest bit of a byte comes first, as in TIFF.
    """

    bits: int = 8
    early: bool = True
    high_first: bool = True

    @property
    def clear(self) -> int:
        """The code that clears the table; the next higher one ends the stream."""
        return 1 << self.bits


def lzw_damage(data: bytes, length: int, kind: Lzw) -> str:
    """A description of the damage in a stream that must decode to ``length`` bytes; empty if there is none."""
    stream = np.frombuffer(data + bytes(4), np.uint8).astype(np.uint32)
    at, total, step = 0, 0, _FIRST_STEP
    while True:
        codes, used, end = _block(stream, len(data) * 8, at, kind, step)
        if not _valid(codes, kind):
            return "a code of its LZW stream is not in the table"
        lengths = _lengths(codes, kind)
        total += int(lengths.sum())
        step, at = max(64, 2 * len(codes)), at + used
        if end is None or end == kind.clear + 1:
            # If the end code was omitted.
            spare = np.cumsum(lengths[::-1])[:_LAST] if end is None else ()
            fits = total == length or any(total - int(more) == length for more in spare)
            return "" if fits else f"its LZW stream decodes to {total:,} bytes instead of {length:,}"


def _block(stream: np.ndarray, bits: int, at: int, kind: Lzw, step: int) -> tuple[np.ndarray, int, int | None]:
    """Codes from one clear code to the next, the number of bits they occupy, and the code that ended them."""
    found: list[np.ndarray] = []
    count = 0
    while True:
        starts, widths = _layout(kind, count + step)
        starts, widths = starts[count:] + at, widths[count:]
        complete = int(np.searchsorted(starts + widths, bits, side="right"))
        codes = _read(stream, starts[:complete], widths[:complete], kind)
        ends = np.flatnonzero((codes == kind.clear) | (codes == kind.clear + 1))
        if len(ends):
            last = int(ends[0])
            found.append(codes[:last])
            return np.concatenate(found), int(starts[last] + widths[last]) - at, int(codes[last])
        found.append(codes)
        if complete < step:
            return np.concatenate(found), bits - at, None
        count, step = count + step, 2 * step


@functools.lru_cache(maxsize=64)
def _layout(kind: Lzw, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Start of each code after a clear code, in bits, and its width in bits."""
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
    """Whether each code is a literal, or an entry that exists by then or is created by it."""
    known = np.minimum(kind.clear + 1 + np.arange(len(codes)), _MOST - 1)
    known[:1] = kind.clear - 1
    return bool(np.all(codes <= known))


def _lengths(codes: np.ndarray, kind: Lzw) -> np.ndarray:
    """Bytes that each code expands to. The entry created by a code is the previous code's string plus a byte."""
    entries = np.maximum(codes - kind.clear - 1, 0)  # 0: a literal; n: the entry created by code n
    above = np.concatenate([[0], entries[:-1]])[: _MOST - kind.clear - 1]
    more = (np.arange(len(above)) > 0).astype(np.int64)
    while above.any():
        more += more[above]
        above = above[above]
    return 1 + more[entries] if len(more) else entries
