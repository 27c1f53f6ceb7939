"""PNG without its text: some editors add megabytes of it, which decoders refuse to unpack."""

import struct

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_TEXT = frozenset((b"tEXt", b"zTXt", b"iTXt"))


def is_png(data: bytes) -> bool:
    """Whether ``data`` begins with PNG's signature."""
    return data.startswith(_SIGNATURE)


def without_text(data: bytes) -> bytes:
    """The same picture without text chunks (PNG 1.2, section 4.2.3); data after a damaged length is kept."""
    parts, position = [_SIGNATURE], len(_SIGNATURE)
    while position + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        end = position + 12 + length
        if data[position + 4 : position + 8] not in _TEXT:
            parts.append(data[position:end])
        position = end
    return b"".join([*parts, data[position:]])
