"""Results that ``facepipe eval ... --json`` wrote."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from facepipe.errors import DatasetError

if TYPE_CHECKING:
    from facepipe.protocols import Result


def read_result(path: Path) -> "Result":
    """The result in a file.

    Raises:
        DatasetError: there is none; says how to make it.
    """
    from facepipe.protocols import Result

    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DatasetError(f"{path}: no such file; make it with 'facepipe eval ... --json > {path}'") from error
    except (OSError, ValueError, RecursionError) as error:
        raise DatasetError(f"{path}: not readable JSON; make it with 'facepipe eval ... --json'") from error
    return Result.from_json(told, path)
