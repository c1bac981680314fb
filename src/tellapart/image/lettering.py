"""Text in pictures: a font that knows more than Latin letters where the machine has one."""

from __future__ import annotations

from functools import cache

from PIL import ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
_KNOWN = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "Arial.ttf", "Helvetica.ttc")


@cache
def font(size_px: int) -> Font:
    """Of a height in pixels; Pillow's own where none of the usual ones is installed."""
    for name in _KNOWN:
        try:
            return ImageFont.truetype(name, size_px)
        except OSError:
            continue
    return ImageFont.load_default(size_px)


def fitted(text: str, letters: Font, width_px: float) -> str:
    """Cut to a width, with an ellipsis where something is left out; one line whatever the text holds."""
    line = " ".join(text.split())
    if letters.getlength(line) <= width_px:
        return line
    while line and letters.getlength(line + "…") > width_px:
        line = line[:-1]
    return line + "…"


def wrapped(text: str, letters: Font, width_px: float) -> list[str]:
    """Lines of at most a width, broken between words; a word that is wider is cut."""
    lines, line = [], ""
    for word in text.split():
        longer = f"{line} {word}".strip()
        if line and letters.getlength(longer) > width_px:
            lines.append(line)
            longer = word
        line = longer
    return [fitted(one, letters, width_px) for one in [*lines, line] if one]
