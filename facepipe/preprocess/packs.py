"""Writing crops: as single files in a folder, or as one tar shard or Parquet file per unit of work."""

import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from facepipe.files import replacing, write_bytes

PACKS = {"tar": ".tar", "parquet": ".parquet"}
"""Kind of pack → extension."""

_GROUP = 256
_FLOATS = pa.list_(pa.float32())
_SCHEMA = pa.schema(
    [
        ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
        ("identity", pa.string()),
        ("path", pa.string()),
        ("box", _FLOATS),
        ("landmarks", pa.list_(_FLOATS)),
        ("score", pa.float32()),
    ]
)


class PackedCrops(Protocol):
    """Receives the crops of one unit."""

    def add(self, name: str, data: bytes, about: dict[str, Any]) -> str:
        """Add an encoded crop with its metadata; returns its name in the manifest."""
        ...


class _Files:
    """Each crop is a file."""

    def __init__(self, out: Path) -> None:
        self._out = out

    def add(self, name: str, data: bytes, about: dict[str, Any]) -> str:  # noqa: ARG002
        write_bytes(self._out / name, data)
        return name


class _Shard:
    """Crops and metadata in the WebDataset format; the same crops give the same bytes."""

    def __init__(self, pack: str, tar: tarfile.TarFile) -> None:
        self._pack, self._tar = pack, tar

    def add(self, name: str, data: bytes, about: dict[str, Any]) -> str:
        known = json.dumps({key: value for key, value in about.items() if value not in (None, "")})
        self._member(name, data)
        self._member(f"{name.rpartition('.')[0]}.json", known.encode())
        return f"{self._pack}/{name}"

    def _member(self, name: str, data: bytes) -> None:
        member = tarfile.TarInfo(name)
        member.size, member.mode = len(data), 0o644
        self._tar.addfile(member, io.BytesIO(data))


class _Table:
    """A row per crop; row groups are small, since readers load them whole."""

    def __init__(self, pack: str, writer: pq.ParquetWriter) -> None:
        self._pack, self._writer = pack, writer
        self._rows: list[dict[str, Any]] = []

    def add(self, name: str, data: bytes, about: dict[str, Any]) -> str:
        self._rows.append({**about, "image": {"bytes": data, "path": name}})
        if len(self._rows) == _GROUP:
            self.flush()
        return f"{self._pack}/{name}"

    def flush(self) -> None:
        """Write buffered rows."""
        if self._rows:
            self._writer.write_table(pa.Table.from_pylist(self._rows, _SCHEMA))
            self._rows = []


def pack_name(kind: str, number: int) -> str:
    """File name of the pack of unit ``number``."""
    return f"crops-{number:06d}{PACKS[kind]}"


@contextmanager
def open_packs(out: Path, kind: str, number: int) -> Iterator[PackedCrops]:
    """Open the output for the crops of a unit; a pack appears under its name if the block succeeds.

    Args:
        out: output folder, which may be in a remote store if crops are packed.
        kind: ``tar`` or ``parquet``; empty for single files.
        number: number of the unit, from 0.

    Raises:
        OSError, StoreError: it cannot be written.
    """
    if not kind:
        yield _Files(out)
        return
    pack = pack_name(kind, number)
    with replacing(out / pack) as temporary:
        if kind == "tar":
            with tarfile.open(temporary, "w", format=tarfile.PAX_FORMAT) as tar:
                yield _Shard(pack, tar)
        else:
            with pq.ParquetWriter(temporary, _SCHEMA, compression="none", write_page_checksum=True) as writer:
                table = _Table(pack, writer)
                yield table
                table.flush()


def packs_in(out: Path) -> list[Path]:
    """All packs in a folder, whoever made them."""
    patterns = tuple(PACKS.values())
    files = [file for file, _ in out.files()] if hasattr(out, "files") else [*out.glob("crops-*")]
    return [file for file in files if file.stem.startswith("crops-") and file.suffix in patterns]
