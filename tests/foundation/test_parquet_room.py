"""Parquet files that would take far more memory than they are large are refused; all others are read."""

import resource
from pathlib import Path

import numpy as np
import parquet_bombs
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from facepipe.files.parquet import DAMAGED_PARQUET, open_parquet, parquet_schema
from facepipe.files.parquet_room import ParquetTooLargeError

ROOM = 1 << 30


@pytest.fixture
def little_memory():
    """A gigabyte more than the process has now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + ROOM, hard))
    yield
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@pytest.mark.parametrize("name", parquet_bombs.BOMBS)
def test_a_small_file_that_takes_gigabytes_is_refused(tmp_path, name, request):
    path = parquet_bombs.BOMBS[name](tmp_path / "b.parquet")
    assert path.stat().st_size < 3_100_000
    request.getfixturevalue("little_memory")
    with pytest.raises(ParquetTooLargeError, match=r"b\.parquet: ") as refused, open_parquet(path) as file:
        file.read()
    assert "\n" not in str(refused.value)


def test_lists_that_only_claim_to_be_long_are_damage(tmp_path, little_memory):
    path = parquet_bombs.claimed_columns(tmp_path / "b.parquet")
    assert path.stat().st_size < 100
    with pytest.raises(DAMAGED_PARQUET), open_parquet(path):
        pass


def test_texts_that_repeat_the_one_before_are_counted_each(tmp_path):
    path = tmp_path / "b.parquet"
    options = {"use_dictionary": False, "column_encoding": {"a": "DELTA_BYTE_ARRAY"}, "data_page_size": 1 << 30}
    pq.write_table(pa.table({"a": ["a" * 1_000_000] * 300}), path, compression="zstd", **options)
    with pytest.raises(ParquetTooLargeError), open_parquet(path):
        pass


def test_only_what_is_read_counts(tmp_path):
    table = pa.table({"identity": parquet_bombs.zeros(), "path": pa.nulls(50_000_000, pa.null())})
    pq.write_table(table.slice(0, 1000).append_column("more", pa.array(["a"] * 1000)), tmp_path / "small.parquet")
    with open_parquet(tmp_path / "small.parquet", ["more"], [0]) as file:
        assert file.read(["more"]).num_rows == 1000
    bomb = parquet_bombs.BOMBS["runs of one number"](tmp_path / "b.parquet")
    assert parquet_schema(bomb).names == ["identity"]
    with open_parquet(bomb, ["path"], row_bytes=0) as file:
        assert file.metadata.num_rows == 50_000_000


@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "zstd", "brotli", "lz4"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_honest_files_are_read_whatever_repeats(tmp_path, compression, version):
    rows = 200_000
    table = pa.table({
        "path": [f"{number // 100:06d}/{number % 100:03d}.jpg" for number in range(rows)],
        "identity": pa.array(["somebody with a long name"] * rows).dictionary_encode(),
        "reason": pa.array(["no face"] * (rows - 1) + ["a" * 100_000]),
        "boxes": pa.array([[]] * rows, pa.list_(pa.list_(pa.float32()))),
        "mu": pa.nulls(rows, pa.list_(pa.float32(), 32)),
        "flag": pa.array(np.zeros(rows, bool)),
    })  # fmt: skip
    path = tmp_path / "honest.parquet"
    pq.write_table(table, path, compression=compression, data_page_version=version, row_group_size=50_000)
    with open_parquet(path) as file:
        assert file.read().equals(table)


def test_long_texts_in_a_dictionary_count_as_often_as_they_occur(tmp_path, monkeypatch):
    """A dictionary of one long and many short texts says little of the column."""
    texts = pa.array(["a" * 500_000] + [f"{number % 1000}" for number in range(100_000)])
    pq.write_table(pa.table({"a": texts}), tmp_path / "a.parquet")
    monkeypatch.setattr("facepipe.files.parquet_room._SMALL", 20 << 20)
    with open_parquet(tmp_path / "a.parquet") as file:
        assert file.read().column("a").equals(pa.chunked_array([texts]))
