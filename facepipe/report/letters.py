"""Fonts with the glyphs for a text, since names come in every script."""

import unicodedata
from functools import cache
from typing import Any

from PIL import ImageFont

from facepipe.shown import shown

# Pillow's own font covers ASCII only. Most systems have some of these; the later ones cover Chinese, Japanese, Korean.
_OTHERS = (
    "DejaVuSans.ttf", "LiberationSans-Regular.ttf", "NotoSans-Regular.ttf", "Arial.ttf", "arial.ttf", "segoeui.ttf",
    "NotoSansCJK-Regular.ttc", "wqy-microhei.ttc", "DroidSansFallbackFull.ttf", "Arial Unicode.ttf", "msyh.ttc",
    "YuGothM.ttc", "malgun.ttf", "PingFang.ttc",
)  # fmt: skip
_PROBE = 16


def lettered(text: str, size: float) -> tuple[str, Any]:
    """The text as it can be drawn, and a font for it.

    The font is Pillow's own, or the first system font with all the glyphs. If none has them, accents are stripped, and
    characters still missing become question marks, never empty boxes.

    Args:
        text: one line; control characters are escaped.
        size: font size in pixels.
    """
    text = shown(text)
    for variant in (text, _plain(text)):
        for name in ("", *_OTHERS):
            if all(_has(name, letter) for letter in set(variant)):
                return variant, _font(name, size)
    return "".join(letter if _has("", letter) else "?" for letter in _plain(text)), _font("", size)


def _plain(text: str) -> str:
    return "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))


@cache
def _has(name: str, letter: str) -> bool:
    if letter.isascii() and not name:
        return True
    font = _font(name, _PROBE)
    # U+FFFF is not a character: its glyph is the one drawn for any missing character.
    return font is not None and bytes(font.getmask(letter)) != bytes(font.getmask("\uffff"))


def _font(name: str, size: float) -> Any:
    if not name:
        return ImageFont.load_default(size=size)
    return _found(name, size)


@cache
def _found(name: str, size: float) -> Any:
    try:
        return ImageFont.truetype(name, size)
    except OSError:
        return None
