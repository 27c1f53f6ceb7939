"""Writing plain values as TOML; reading is tomllib's."""

from typing import Any

import tomli_w


def dumps(values: dict[str, Any]) -> str:
    """TOML text of nested tables of strings, booleans, integers, floats and lists; None in a table is left out.

    NumPy's numbers are written as the plain ones that they are.

    Raises:
        TypeError: a value of another type.
    """
    return tomli_w.dumps(_plain(values))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    # NumPy is not imported for it: reading a card needs none.
    return value.item() if type(value).__module__ == "numpy" and getattr(value, "shape", None) == () else value
