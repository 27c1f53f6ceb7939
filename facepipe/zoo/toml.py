"""Writing plain values as TOML; reading is tomllib's."""

import re
from typing import Any

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}


def dumps(values: dict[str, Any]) -> str:
    """TOML text of nested tables of strings, booleans, integers, floats and lists; None is left out.

    Plain values come before the tables of the same level, as TOML needs. A list of tables becomes an array of
    tables; lists may not mix tables with other values.

    Raises:
        TypeError: a value of another type.
    """
    return "\n".join(_table(values, ())).lstrip("\n") + "\n"


def _table(values: dict[str, Any], path: tuple[str, ...]) -> list[str]:
    lines: list[str] = []
    nested: list[str] = []
    for key, value in values.items():
        inner = (*path, key)
        header = ".".join(map(_key, inner))
        if isinstance(value, dict):
            nested += ["", f"[{header}]", *_table(value, inner)]
        elif isinstance(value, list | tuple) and value and isinstance(value[0], dict):
            for row in value:
                nested += ["", f"[[{header}]]", *_table(row, inner)]
        elif value is not None:
            lines.append(f"{_key(key)} = {_value(value)}")
    return lines + nested


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _string(key)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    raise TypeError(f"TOML has no {type(value).__name__}: {value!r}")


def _string(text: str) -> str:
    return f'"{"".join(map(_character, text))}"'


def _character(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    code = ord(character)
    return f"\\u{code:04X}" if code < 0x20 or code == 0x7F else character
