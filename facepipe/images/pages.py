"""Names for a single page of a scan, frame of an animation or picture in a file: ``scan.tif@2``."""

import os
import re
from pathlib import Path

from facepipe.files.address_path import AddressPath

_PAGE = re.compile(r"(.+)@([1-9]\d{0,5})", re.DOTALL)


def file_and_page(path: Path) -> tuple[Path, int]:
    """The file that contains an image, and its page number, from 0; a file of exactly that name takes precedence."""
    match = None if isinstance(path, AddressPath) else _PAGE.fullmatch(str(path))
    if match is None or os.path.lexists(path) or not Path(match[1]).is_file():
        return path, 0
    return Path(match[1]), int(match[2]) - 1


def file_of(path: Path) -> Path:
    """The file that contains an image."""
    return file_and_page(path)[0]


def is_there(path: Path) -> bool:
    """Whether an image exists: a file, or a page of one."""
    return path.exists() or file_and_page(path)[0] != path
