"""Write plain values as TOML; tomllib reads it."""

from typing import Any

import tomli_w


def dumps(values: dict[str, Any]) -> str:
    """TOML text of nested tables of strings, booleans, integers, floats and lists; None in a table is omitted.

    NumPy scalars are written as plain numbers.

    Raises:
        TypeError: a value has another type.
    """
    return tomli_w.dumps(_plain(values))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    # Without importing NumPy, which reading a card does not need.
    return value.item() if type(value).__module__ == "numpy" and getattr(value, "shape", None) == () else value
