"""Results of any protocol, as written by ``facepipe eval ... --json``."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facepipe.errors import DatasetError
from facepipe.protocols.verification.outcomes import Outcomes


@dataclass(frozen=True)
class SavedResult:
    """A result of any protocol: the output of `facepipe.protocols.result.Result.to_dict`, split up.

    Attributes:
        protocol: its name.
        figures: JSON values, as in the file.
        settings, outcomes: as in `facepipe.protocols.result.Result`.
    """

    protocol: str
    figures: dict[str, Any]
    settings: dict[str, Any]
    outcomes: Outcomes | None = None


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        DatasetError: the file is missing or not JSON; the message says how to make it.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DatasetError(f"{path}: no such file; make it with 'facepipe eval ... --json > {path}'") from error
    except (OSError, ValueError, RecursionError) as error:
        raise DatasetError(f"{path}: not readable JSON; make it with 'facepipe eval ... --json'") from error


def read_saved_result(path: Path) -> SavedResult:
    """The result in a file.

    Raises:
        DatasetError: the file holds no result; the message says how to make it.
    """
    try:
        rest = dict(read_json(path))
        protocol, settings, outcomes = rest.pop("protocol"), rest.pop("settings"), rest.pop("outcomes", None)
        if not isinstance(protocol, str) or not isinstance(settings, dict):
            raise TypeError(protocol)
        return SavedResult(protocol, rest, settings, None if outcomes is None else Outcomes.from_json(outcomes))
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(f"{path}: not a result of 'facepipe eval ... --json'; make it again") from error
