"""Fonts that have the letters of a text: names come in every script."""

import unicodedata
from functools import cache
from typing import Any

from PIL import ImageFont

from facepipe.shown import shown

# Pillow's own font has ASCII only. Of these every system has some; the later ones hold Chinese, Japanese and Korean.
_OTHERS = (
    "DejaVuSans.ttf", "LiberationSans-Regular.ttf", "NotoSans-Regular.ttf", "Arial.ttf", "arial.ttf", "segoeui.ttf",
    "NotoSansCJK-Regular.ttc", "wqy-microhei.ttc", "DroidSansFallbackFull.ttf", "Arial Unicode.ttf", "msyh.ttc",
    "YuGothM.ttc", "malgun.ttf", "PingFang.ttc",
)  # fmt: skip
_PROBE = 16


def lettered(text: str, size: float) -> tuple[str, Any]:
    """The text as it can be written, and a font for it.

    The font is Pillow's own, or the first of the system's that has all letters. Where none has, accents are left
    out, and what is still missing becomes a question mark: never an empty box.

    Args:
        text: one line; control characters of names from outside are escaped.
        size: of the font, in pixels.
    """
    text = shown(text)
    for way in (text, _plain(text)):
        for name in ("", *_OTHERS):
            if all(_has(name, letter) for letter in set(way)):
                return way, _font(name, size)
    return "".join(letter if _has("", letter) else "?" for letter in _plain(text)), _font("", size)


def _plain(text: str) -> str:
    return "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))


@cache
def _has(name: str, letter: str) -> bool:
    if letter.isascii() and not name:
        return True
    font = _font(name, _PROBE)
    # U+FFFF is no character: what is drawn for it stands for every letter that is missing.
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
