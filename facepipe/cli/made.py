"""Whether an existing file was made by a command, so that it may be overwritten without asking."""

import json
import tomllib
from pathlib import Path


def is_embeddings(path: Path) -> bool:
    """Whether a file is from 'facepipe embed'; a gallery, which is private, does not count."""
    from facepipe.embedding.embeddings_file import read_about
    from facepipe.errors import EmbeddingsError
    from facepipe.files.parquet import DAMAGED_PARQUET, parquet_schema

    try:
        return not read_about(parquet_schema(path), path).get("gallery", False)
    except (*DAMAGED_PARQUET, EmbeddingsError):
        return False


def is_store(path: Path) -> bool:
    """Whether a file may be a store of embeddings, Parquet or NumPy by its first bytes. Never blocks on a pipe."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(6).startswith((b"PAR1", b"\x93NUMPY"))
    except OSError:
        return False


def is_index(path: Path) -> bool:
    """Whether a file is from 'facepipe search --index', which writes a file with its source next to it."""
    from facepipe.score.store import names_file

    return (path.with_name(f"{path.name}.json") if path.suffix.lower() == ".faiss" else names_file(path)).is_file()


def is_summary(path: Path) -> bool:
    """Whether a file is from 'facepipe identify --summary'."""
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
    """Whether a file is a model card."""
    try:
        return "weights" in tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        return False
