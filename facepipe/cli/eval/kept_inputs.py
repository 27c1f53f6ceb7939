"""The state of a benchmark's inputs, saved with its results, so that results are invalidated when inputs change."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from facepipe.files import Changes, Mark, PassedOver, compare_marks, mark_file, walk, write_text
from facepipe.files.fingerprint import digest_of
from facepipe.images import EXTENSIONS

_LISTS = frozenset((".txt", ".csv", ".tsv", ".json", ".mat", ".toml"))


@dataclass(frozen=True)
class KeptInputs:
    """The current inputs of a benchmark.

    Attributes:
        state: digest over their names and contents, 32 hexadecimal digits.
        changes: since the last run; None if nothing was saved.
    """

    state: str
    changes: Changes | None


def compare_inputs(place: Path, roots: Iterable[Path], verify: bool = False) -> KeptInputs:
    """Compare all inputs of a benchmark with the state saved in ``place``, and save the new state.

    Contents are read only of files that are new or whose size or time changed.

    Args:
        place: a JSON file.
        roots: files, and folders with images and lists.
        verify: read the contents of all files.

    Raises:
        FolderError: a root is missing.
        OSError: ``place`` cannot be written.
    """
    files = _files(roots)
    then = _read(place)
    changes = compare_marks(
        then, {name: mark_file(path, verify) for name, path in files.items()}, lambda name: digest_of(files[name])
    )
    known = {*changes.same, *changes.touched}
    now = {
        name: mark_file(path).of(then[name].digest) if name in known else mark_file(path, digest=True)
        for name, path in files.items()
    }
    if changes or changes.touched:
        write_text(place, json.dumps({name: asdict(mark) for name, mark in now.items()}) + "\n")
    state = json.dumps([(name, now[name].digest) for name in sorted(now)])
    return KeptInputs(hashlib.blake2b(state.encode(), digest_size=16).hexdigest(), changes if then else None)


def _files(roots: Iterable[Path]) -> dict[str, Path]:
    """Name → file; names begin with the number of the root and do not depend on its location."""
    return {
        f"{number}/{path.relative_to(root).as_posix()}": path
        for number, given in enumerate(roots)
        for root, path in walk([given], EXTENSIONS | _LISTS, PassedOver())
    }


def _read(place: Path) -> Mapping[str, Mark]:
    try:
        return {name: Mark(**mark) for name, mark in json.loads(place.read_text(encoding="utf-8")).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
