"""Seeded damage to files: as disks, networks and hands do it."""

import numpy as np

_NUMBERS = (b"-1", b"0", b"nan", b"inf", b"1e999", b"99999999999999999999", b"0.5", b'"text"', b"[]", b"true")


def damaged(content: bytes, seed: int) -> bytes:
    """``content`` with one to four damages that depend on ``seed`` alone; other than ``content``."""
    random = np.random.default_rng(seed)
    out = content
    for _ in range(int(random.integers(1, 5))):
        out = _KINDS[int(random.integers(len(_KINDS)))](bytearray(out), random)
    return out if out != content else content[:-1]


def _flip(data: bytearray, random: np.random.Generator) -> bytes:
    for _ in range(int(random.integers(1, 9))):
        if data:
            data[int(random.integers(len(data)))] ^= 1 << int(random.integers(8))
    return bytes(data)


def _overwrite(data: bytearray, random: np.random.Generator) -> bytes:
    first, length = _place(data, random)
    data[first : first + length] = random.bytes(length)
    return bytes(data)


def _zeros(data: bytearray, random: np.random.Generator) -> bytes:
    first, length = _place(data, random)
    data[first : first + length] = bytes(length)
    return bytes(data)


def _cut_off(data: bytearray, random: np.random.Generator) -> bytes:
    return bytes(data[: int(random.integers(len(data) + 1))])


def _cut_out(data: bytearray, random: np.random.Generator) -> bytes:
    first, length = _place(data, random)
    return bytes(data[:first] + data[first + length :])


def _twice(data: bytearray, random: np.random.Generator) -> bytes:
    first, length = _place(data, random)
    return bytes(data[: first + length] + data[first:])


def _largest(data: bytearray, random: np.random.Generator) -> bytes:
    """Lengths, counts and offsets in binary files are numbers of four bytes; make one of them huge."""
    first = int(random.integers(max(1, len(data) - 4)))
    data[first : first + 4] = b"\xff\xff\xff\x7f" if random.random() < 0.5 else b"\xff\xff\xff\xff"
    return bytes(data)


def _number(data: bytearray, random: np.random.Generator) -> bytes:
    """A value of a text file becomes another number, or none."""
    lines = bytes(data).split(b"\n")
    number = int(random.integers(len(lines)))
    before, sign, _ = lines[number].partition(b"=")
    if sign:
        lines[number] = before + b"= " + _NUMBERS[int(random.integers(len(_NUMBERS)))]
    return b"\n".join(lines)


def _lines(data: bytearray, random: np.random.Generator) -> bytes:
    lines = bytes(data).split(b"\n")
    a, b = (int(random.integers(len(lines))) for _ in range(2))
    lines[a], lines[b] = lines[b], lines[a] if random.random() < 0.5 else lines[b]
    return b"\n".join(lines)


def _place(data: bytearray, random: np.random.Generator) -> tuple[int, int]:
    first = int(random.integers(len(data) + 1))
    return first, int(min(len(data) - first, 2 ** random.integers(0, 10)))


_KINDS = (_flip, _flip, _overwrite, _zeros, _cut_off, _cut_out, _twice, _largest, _largest, _number, _lines)
