"""Digests of files and names, which identify the inputs of a protocol, and of images."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path


def files_digest(paths: Iterable[Path]) -> str:
    """First 16 hex digits of a SHA-256 over the files in this order, each preceded by its size; names are ignored."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(f"{path.stat().st_size}\n".encode())
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()[:16]


def names_digest(lists: Iterable[Sequence[str]]) -> str:
    """First 16 hex digits of a SHA-256 over lists of names in this order, each preceded by its length."""
    digest = hashlib.sha256()
    for names in lists:
        digest.update(f"{len(names)}\n".encode())
        digest.update("\0".join(names).encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:16]


def image_digest(data: bytes) -> str:
    """First 16 hex digits of the SHA-256 of an image file, its name wherever it is packed."""
    return hashlib.sha256(data).hexdigest()[:16]
