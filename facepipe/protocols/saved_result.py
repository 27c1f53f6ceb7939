"""Results of any protocol, as ``facepipe eval ... --json`` wrote them."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facepipe.errors import DatasetError
from facepipe.protocols.verification.outcomes import Outcomes


@dataclass(frozen=True)
class SavedResult:
    """A result whose protocol is not known beforehand: what `facepipe.protocols.result.Result.to_dict` gives, parted.

    Attributes:
        protocol: its name.
        figures: JSON values, as the file has them.
        settings, outcomes: as in `facepipe.protocols.result.Result`.
    """

    protocol: str
    figures: dict[str, Any]
    settings: dict[str, Any]
    outcomes: Outcomes | None = None


def read_json(path: Path) -> Any:
    """What a file holds.

    Raises:
        DatasetError: there is none, or no JSON; says how to make it.
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
        DatasetError: there is none; says how to make it.
    """
    try:
        rest = dict(read_json(path))
        protocol, settings, outcomes = rest.pop("protocol"), rest.pop("settings"), rest.pop("outcomes", None)
        if not isinstance(protocol, str) or not isinstance(settings, dict):
            raise TypeError(protocol)
        return SavedResult(protocol, rest, settings, None if outcomes is None else Outcomes.from_json(outcomes))
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(f"{path}: not a result of 'facepipe eval ... --json'; make it again") from error
