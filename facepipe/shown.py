"""Escaping untrusted text for display, so that no name can move the cursor, forge a line or reverse text direction."""

import re
import unicodedata

LONGEST = 300
"""Maximum number of characters shown of one name or message."""

# Line and paragraph separators; marks, embeddings, overrides and isolates of bidirectional text.
_TURNING = "\u2028\u2029\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069"
_HOSTILE = re.compile(f"[\x00-\x1f\x7f-\x9f{_TURNING}\ud800-\udfff]")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def shown(text: object, longest: int = LONGEST) -> str:
    """``text`` with control characters, bidirectional controls and undecodable bytes escaped, and the middle of
    text that is too long replaced by an ellipsis.

    Letters of any script are unchanged. Undecodable bytes of a file name, which Python keeps as lone surrogates,
    become ``\\xNN``.
    """
    escaped = _HOSTILE.sub(_escape, str(text))
    if len(escaped) <= longest:
        return escaped
    head = longest * 2 // 3
    return f"{escaped[:head]}…{escaped[len(escaped) - (longest - head - 1) :]}"


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    if character in _SHORT:
        return _SHORT[character]
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def is_plain(text: str) -> bool:
    """Whether `shown` leaves ``text`` unchanged and all its characters are assigned."""
    return shown(text, len(text) + 1) == text and all(unicodedata.category(c) != "Cn" for c in text)
