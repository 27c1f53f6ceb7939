"""Reading an embeddings file batch by batch, for files that are larger than memory."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from facepipe.embed.embeddings import Embeddings
from facepipe.embed.embeddings_file import embeddings_of, read_about
from facepipe.errors import EmbeddingsError


def iterate_embeddings(path: Path, rows: int = 65_536) -> Iterator[Embeddings]:
    """What `load_embeddings` reads, in batches of at most ``rows`` images; at least one batch, which may be empty.

    Raises:
        EmbeddingsError: the file is missing, damaged or no embeddings file.
    """
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            about = read_about(file.schema_arrow, path)
            if file.metadata.num_rows == 0:
                yield embeddings_of(file.read(), about, path)
            for batch in file.iter_batches(rows):
                yield embeddings_of(pa.Table.from_batches([batch]), about, path)
    except FileNotFoundError as error:
        raise EmbeddingsError(f"{path}: no such file; make it with 'facepipe embed IMAGES -o {path}'") from error
    except (OSError, ValueError, pa.ArrowException) as error:
        raise EmbeddingsError(f"{path}: not a readable embeddings file; make it again") from error
