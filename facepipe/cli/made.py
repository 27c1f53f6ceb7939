"""Whether a file that is there was made by a command: such a file may be made anew without asking."""

import json
import tomllib
from pathlib import Path


def is_embeddings(path: Path) -> bool:
    """Whether 'facepipe embed' wrote it; a gallery, which only its owner may read, is none."""
    import pyarrow.parquet as pq

    from facepipe.embedding.embeddings_file import read_about
    from facepipe.errors import EmbeddingsError
    from facepipe.files.parquet import DAMAGED_PARQUET

    try:
        return not read_about(pq.read_schema(path), path).get("gallery", False)
    except (*DAMAGED_PARQUET, EmbeddingsError):
        return False


def is_store(path: Path) -> bool:
    """Whether it holds embeddings to search in: Parquet or a NumPy array, by how it begins. Waits for no pipe."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(6).startswith((b"PAR1", b"\x93NUMPY"))
    except OSError:
        return False


def is_index(path: Path) -> bool:
    """Whether 'facepipe search' wrote it: what it was made of lies beside it."""
    from facepipe.score.store import names_file

    return (path.with_name(f"{path.name}.json") if path.suffix.lower() == ".faiss" else names_file(path)).is_file()


def is_summary(path: Path) -> bool:
    """Whether 'facepipe identify --summary' wrote it."""
    try:
        value = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        return False
    accounts = value if isinstance(value, list) else [value]
    return bool(accounts) and all(
        isinstance(each, dict) and ("people" in each or "error" in each) and ("photos" in each or "source" in each)
        for each in accounts
    )


def is_card(path: Path) -> bool:
    """Whether it is a model's card."""
    try:
        return "weights" in tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        return False
