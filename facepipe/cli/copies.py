"""Names of what is made of images: below a folder, under the sub-folders in which the images lie."""

from collections.abc import Iterable
from pathlib import Path


def mirrored(found: Iterable[tuple[Path, Path]], folder: Path) -> dict[Path, Path]:
    """Image → a name below ``folder`` without extension, no two alike.

    Args:
        found: root and image; an image that is a root itself goes right into ``folder``. Of several that would have one
            name, the later ones keep their extension in it.
        folder: need not exist.
    """
    taken: set[Path] = set()
    stems: dict[Path, Path] = {}
    for root, path in found:
        stem = folder / (path.parent.relative_to(root) if root != path else "") / path.stem
        while stem in taken:
            stem = stem.with_name(stem.name + (path.suffix or "_"))
        taken.add(stem)
        stems[path] = stem
    return stems
