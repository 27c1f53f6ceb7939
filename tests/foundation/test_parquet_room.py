"""Parquet files that would take far more memory than they are large are refused; all others are read."""

import base64
import resource
from itertools import pairwise
from pathlib import Path

import numpy as np
import parquet_bombs
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from facepipe.files import parquet_pages
from facepipe.files.parquet import DAMAGED_PARQUET, open_parquet, parquet_schema
from facepipe.files.parquet_lengths import repeated_bytes, values_of
from facepipe.files.parquet_pages import pages, row_groups
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


PATHS = [f"photos/{number // 20:06d}/{number:09d}.jpg" for number in range(200_000)]


@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "zstd", "brotli", "lz4"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_paths_by_prefixes_are_read(tmp_path, compression, version):
    """As written by other programs; each page has 20,000 texts, which repeat little of those before them."""
    lists = pa.ListArray.from_arrays(pa.array(np.arange(0, 200_001, 20, dtype=np.int32)), pa.array(PATHS))
    sparse = pa.array([None if number % 3 else path for number, path in enumerate(PATHS[:10_000])])
    table = pa.table({"crops": lists, "path": sparse, "first": PATHS[:10_000]})
    coded = dict.fromkeys(["crops.list.element", "path", "first"], "DELTA_BYTE_ARRAY")
    options = {"use_dictionary": False, "column_encoding": coded, "data_page_version": version}
    pq.write_table(table, tmp_path / "a.parquet", compression=compression, **options)
    with open_parquet(tmp_path / "a.parquet") as file:
        assert file.read().equals(table)


@pytest.mark.parametrize("seed", range(20))
def test_what_texts_repeat_is_exact(tmp_path, seed):
    chance = np.random.default_rng(seed)
    texts, text = [], ""
    for length in chance.integers(0, [3, 40, 2000][seed % 3], 1000):
        text = text[: chance.integers(0, len(text) + 1)] + chr(97 + length % 26) * int(length)
        texts.append(text)
    options = {"use_dictionary": False, "column_encoding": {"a": "DELTA_BYTE_ARRAY"}}
    pq.write_table(pa.table({"a": pa.array(texts)}), tmp_path / "a.parquet", **options)
    with (tmp_path / "a.parquet").open("rb") as stream, pq.ParquetFile(stream) as file:
        stream.seek(-8, 2)
        length = int.from_bytes(stream.read(4), "little")
        size = stream.seek(-8 - length, 2) + length + 8
        chunk = row_groups(stream.read(length), size)[0].chunks[0]
        found = sum(
            repeated_bytes(values_of(stream, page, chunk.codec, file.schema.column(0)), page.values)
            for page in pages(stream, chunk)
        )
    same = [[a == b for a, b in zip(*two, strict=False)] for two in pairwise(texts)]
    assert found == sum([*one, False].index(False) for one in same)


@pytest.mark.parametrize("kind", [pa.list_view, pa.large_list_view])
def test_the_type_that_a_file_claims_hides_nothing(tmp_path, kind):
    schema = pa.schema([("identity", kind(pa.string()))])
    claim = base64.b64encode(schema.serialize().to_pybytes())
    table = pa.table({"identity": parquet_bombs.lists(100_000)})
    plain = {"store_schema": False, "write_statistics": False}
    with pq.ParquetWriter(tmp_path / "b.parquet", table.schema, **plain) as writer:
        writer.write_table(table, 1 << 30)
        writer.add_key_value_metadata({"ARROW:schema": claim})
    with pytest.raises(ParquetTooLargeError), open_parquet(tmp_path / "b.parquet"):
        pass


def test_lists_that_are_not_read_may_be_long(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": [1], "b": pa.nulls(1, pa.list_(pa.uint8(), 2_000_000))}), path)
    with open_parquet(path, ["a"]) as file:
        assert file.read(["a"]).num_rows == 1
    with pytest.raises(ParquetTooLargeError), open_parquet(path, ["b.list"]):
        pass


def test_a_footer_is_read_once_for_all_row_groups(tmp_path, monkeypatch):
    pq.write_table(pa.table({"a": range(50)}), tmp_path / "a.parquet", row_group_size=1)
    structs: list[int] = []
    make = parquet_pages._group
    monkeypatch.setattr(parquet_pages, "_group", lambda *each: structs.append(1) or make(*each))
    for group in range(50):
        with open_parquet(tmp_path / "a.parquet", ["a"], [group]) as file:
            assert file.read_row_group(group)["a"].to_pylist() == [group]
    assert len(structs) == 50


def test_long_texts_in_a_dictionary_count_as_often_as_they_occur(tmp_path, monkeypatch):
    """A dictionary of one long and many short texts says little of the column."""
    texts = pa.array(["a" * 500_000] + [f"{number % 1000}" for number in range(100_000)])
    pq.write_table(pa.table({"a": texts}), tmp_path / "a.parquet")
    monkeypatch.setattr("facepipe.files.parquet_room._SMALL", 20 << 20)
    with open_parquet(tmp_path / "a.parquet") as file:
        assert file.read().column("a").equals(pa.chunked_array([texts]))
