"""Fallback fonts for labels in any script.

Matplotlib's default font covers Latin, Greek, Cyrillic and a few more scripts. Matplotlib can fall back to other fonts
by name. It warns each time it draws a figure with a character that none of its fonts has.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import matplotlib.pyplot as plt
from matplotlib import font_manager, ft2font
from matplotlib.axes import Axes
from matplotlib.text import Text

#: Fonts that come with operating systems or are often installed, for scripts that matplotlib's default font lacks. If
#: several fonts have a character, the first one is used. Matplotlib cannot draw color emoji fonts.
FURTHER_FONTS = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Noto Sans JP", "Noto Sans KR", "Source Han Sans SC",
    "PingFang SC", "Hiragino Sans", "Apple SD Gothic Neo", "Microsoft YaHei", "Yu Gothic", "Malgun Gothic",
    "WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "Droid Sans Fallback", "Noto Sans Devanagari", "Nirmala UI",
    "Noto Sans Thai", "Leelawadee UI", "Arial Unicode MS", "Noto Emoji", "Segoe UI Emoji", "Segoe UI Symbol", "Symbola",
)  # fmt: skip

_OWN = "DejaVu Sans"  # matplotlib's default font
MISSING = "\u25a1"  # an empty square, for characters that no font has


def add_further_fonts(axes: Axes) -> None:
    """Let text of a plot fall back to :data:`FURTHER_FONTS` where needed.

    Fonts are set on text, not with ``plt.rc_context``, in which Jupyter's inline backend loses figures.
    """
    for text in axes.findobj(Text):
        families = text.get_fontfamily()
        if further := _further_for(text.get_text(), families)[0]:
            text.set_fontfamily([*families, *(_family_of_weight(name, text.get_fontweight()) for name in further)])


def drawable(text: str) -> str:
    """Replace each character that no font has with an empty square, and drop it if it is invisible."""
    missing = _further_for(text, plt.rcParams["font.family"])[1]
    return "".join(
        c if ord(c) not in missing else "" if unicodedata.category(c) in ("Cf", "Mn", "Me") else MISSING for c in text
    )


def _further_for(text: str, families: Sequence[str]) -> tuple[list[str], set[int]]:
    """Find the fallback fonts that ``text`` needs, and the characters in it that no font has."""
    chosen: list[str] = []
    missing = {ord(c) for c in text if not c.isascii()}
    if missing:
        missing -= _own_characters(tuple(families))
    for name, characters in _further_fonts(FURTHER_FONTS).items() if missing else ():
        if missing & characters:
            chosen.append(name)
            missing -= characters
    return chosen, missing


def _family_of_weight(name: str, weight: str | int) -> str:
    """Return a font family for ``name`` in this weight, registered because matplotlib would warn otherwise."""
    face = _nearest_face(name, weight)
    if _number(face.weight) == _number(weight):
        return name
    family = f"{name} as {weight}"
    if all(entry.name != family for entry in font_manager.fontManager.ttflist):
        font_manager.fontManager.ttflist.append(replace(face, name=family, weight=weight))
    return family


def _nearest_face(name: str, weight: str | int) -> font_manager.FontEntry:
    faces = (face for face in font_manager.fontManager.ttflist if face.name == name)
    return min(faces, key=lambda face: (face.style != "normal", abs(_number(face.weight) - _number(weight))))


def _number(weight: str | int) -> int:
    return font_manager.weight_dict[weight] if isinstance(weight, str) else weight


@cache
def _further_fonts(names: tuple[str, ...]) -> dict[str, frozenset[int]]:
    """Map matplotlib's default font and each installed fallback font to the characters it has."""
    here = {face.name for face in font_manager.fontManager.ttflist}
    fonts = {name: _in_font(_nearest_face(name, "normal").fname) for name in (_OWN, *names) if name in here}
    return {name: characters for name, characters in fonts.items() if characters}


@cache
def _own_characters(families: tuple[str, ...]) -> frozenset[int]:
    files = {font_manager.findfont(font_manager.FontProperties(family=[name])) for name in families}
    return frozenset().union(*map(_in_font, files))


@cache
def _in_font(path: str) -> frozenset[int]:
    """Return the code points in a font file, or an empty set if matplotlib cannot load it."""
    try:
        return frozenset(ft2font.FT2Font(path).get_charmap())
    except (OSError, RuntimeError):
        return frozenset()
