"""Small Parquet files that would take gigabytes, with truthful and with lying footers."""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

TEXT, INT32 = 6, 1
PLAIN, RLE, DICTIONARY = 0, 3, 8
MANY = 1 << 30


class Long(int):
    """A 64-bit number in a struct."""


def varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


def encoded(value: Any) -> tuple[int, bytes]:
    """Type and bytes of a value in Thrift's compact protocol."""
    if isinstance(value, dict):
        out, last = b"", 0
        for number, (kind, data) in ((number, encoded(field)) for number, field in value.items()):
            out, last = out + bytes([(number - last) << 4 | kind]) + data, number
        return 12, out + b"\0"
    if isinstance(value, list):
        kinds = [encoded(item) for item in value]
        return 9, bytes([0xF0 | kinds[0][0]]) + varint(len(value)) + b"".join(data for _, data in kinds)
    if isinstance(value, bytes):
        return 8, varint(len(value)) + value
    return (6 if isinstance(value, Long) else 5), varint((value << 1) ^ (value >> 63))


def page(data: bytes, values: int, encoding: int, claimed: int = 0, codec: str = "zstd") -> bytes:
    """A data page, or the dictionary's for encoding PLAIN and a single value; ``claimed``: its bytes decompressed."""
    stored = pa.compress(data, codec, asbytes=True)
    about = {1: values, 2: encoding, 3: RLE, 4: RLE}
    return encoded({1: 0, 2: claimed or len(data), 3: len(stored), 5: about})[1] + stored


def dictionary(text: bytes) -> bytes:
    data = struct.pack("<I", len(text)) + text
    stored = pa.compress(data, "zstd", asbytes=True)
    return encoded({1: 2, 2: len(data), 3: len(stored), 7: {1: 1, 2: PLAIN}})[1] + stored


def whole(path: Path, body: bytes, values: int, kind: int, coded: int = 0, name: bytes = b"identity") -> Path:
    """A file of one required column; its footer claims ``values`` rows and few bytes."""
    start = 4 + coded
    column = {1: kind, 2: [PLAIN], 3: [name], 4: 6, 5: Long(values), 6: Long(64), 7: Long(len(body)), 9: Long(start)}
    if coded:
        column[11] = Long(4)
    schema = [{4: b"schema", 5: 1}, {1: kind, 3: 0, 4: name} | ({6: 0} if kind == TEXT else {})]
    groups = [{1: [{2: Long(0), 3: column}], 2: Long(64), 3: Long(values)}]
    return signed(path, body, encoded({1: 1, 2: schema, 3: Long(values), 4: groups})[1])


def signed(path: Path, body: bytes, footer: bytes) -> Path:
    path.write_bytes(b"PAR1" + body + footer + struct.pack("<I", len(footer)) + b"PAR1")
    return path


def repeated(count: int) -> bytes:
    """``count`` times entry 0 of a dictionary: one run of numbers of one bit."""
    return b"\x01" + varint(count << 1) + b"\0"


def lying_zeros(path: Path) -> Path:
    return whole(path, page(bytes(4 * 200_000_000), 200_000_000, PLAIN), 10, INT32)


def lying_runs(path: Path) -> Path:
    head = dictionary(b"anna")
    return whole(path, head + page(repeated(MANY), MANY, DICTIONARY), 10, TEXT, len(head))


def lying_dictionary(path: Path) -> Path:
    head = dictionary(b"a" * 1_000_000)
    return whole(path, head + page(repeated(1_000_000), 1_000_000, DICTIONARY), 1_000_000, TEXT, len(head))


def claimed_page(path: Path) -> Path:
    return whole(path, page(bytes(40), 10, PLAIN, claimed=(1 << 31) - 1), 10, INT32)


def long_footer(path: Path) -> Path:
    """A million empty columns, which take 700 bytes each."""
    groups = b"\x19\xfc" + varint(1) + b"\x19\xfc" + varint(999_999) + b"\x26\0\0" * 999_999 + b"\x16\0\x16\0\0"
    schema = encoded([{4: b"schema", 5: 1}, {1: INT32, 3: 0, 4: b"identity"}])[1]
    return signed(path, b"", b"\x15\x02\x19" + schema + b"\x16\x02" + groups + b"\0")


def claimed_columns(path: Path) -> Path:
    schema = encoded([{4: b"schema", 5: 1}, {1: INT32, 3: 0, 4: b"identity"}])[1]
    groups = b"\x19\xfc" + varint(1) + b"\x19\xfc" + varint(999_999)
    return signed(path, b"", b"\x15\x02\x19" + schema + b"\x16\x02" + groups)


def claimed_rows(path: Path) -> Path:
    return whole(path, page(bytes(40), 10, PLAIN), 1 << 40, INT32)


def written(make: Callable[[], Any], **options: Any) -> Callable[[Path], Path]:
    def write(path: Path) -> Path:
        pq.write_table(pa.table({"identity": make()}), path, row_group_size=1 << 30, write_statistics=False, **options)
        return path

    return write


def coded(count: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, np.int32)), pa.array(["a" * 1_000_000]))


def lists(count: int) -> pa.Array:
    return pa.ListArray.from_arrays(pa.array([0, count], pa.int32()), coded(count))


def zeros() -> pa.Array:
    return pa.array(np.zeros(50_000_000, np.int64))


BOMBS: dict[str, Callable[[Path], Path]] = {
    "zeros by zstd": written(zeros, compression="zstd", use_dictionary=False, data_page_size=1 << 30),
    "zeros by gzip": written(zeros, compression="gzip", use_dictionary=False, data_page_size=1 << 30),
    "zeros in many pages": written(zeros, compression="zstd", use_dictionary=False),
    "runs of one number": written(zeros),
    "nulls": written(lambda: pa.nulls(50_000_000, pa.bool_())),
    "a long text again and again": written(lambda: coded(1_000_000), store_schema=False),
    "the same with a type of its own": written(lambda: coded(1_000_000)),
    "the same in a list": written(lambda: lists(1_000_000), store_schema=False),
    "the same in a struct": written(lambda: pa.StructArray.from_arrays([coded(1_000_000)], ["a"]), store_schema=False),
    "nulls of wide lists": written(lambda: pa.nulls(5, pa.list_(pa.float32(), 2_000_000))),
    "zeros, and a footer of ten rows": lying_zeros,
    "runs, and a footer of ten rows": lying_runs,
    "a long text, and a footer of few bytes": lying_dictionary,
    "a page that claims 2 GB": claimed_page,
    "a footer that claims rows": claimed_rows,
    "a footer of a million columns": long_footer,
}
"""Name → writes the file of less than 3 MB; the column ``identity`` is the one that takes memory."""
