"""Which characters a drawing can show, and in which fonts: labels are written in any script.

matplotlib's own font has Latin, Greek, Cyrillic and a few more. For others it can look into further fonts, if it is
told their names; a character that none of them has would be a warning each time the figure is drawn.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, wraps
from typing import ParamSpec

import matplotlib.pyplot as plt
from matplotlib import font_manager, ft2font
from matplotlib.axes import Axes
from matplotlib.text import Text

Arguments = ParamSpec("Arguments")

#: Fonts that come with systems or are often installed, for what matplotlib's own lacks. Of several that have the same
#: characters the first is taken. Fonts of coloured emoji can't be drawn by matplotlib.
FURTHER_FONTS = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Noto Sans JP", "Noto Sans KR", "Source Han Sans SC",
    "PingFang SC", "Hiragino Sans", "Apple SD Gothic Neo", "Microsoft YaHei", "Yu Gothic", "Malgun Gothic",
    "WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "Droid Sans Fallback", "Noto Sans Devanagari", "Nirmala UI",
    "Noto Sans Thai", "Leelawadee UI", "Arial Unicode MS", "Noto Emoji", "Segoe UI Emoji", "Segoe UI Symbol", "Symbola",
)  # fmt: skip

_OWN = "DejaVu Sans"  # of matplotlib
MISSING = "\u25a1"  # an empty square, where no font has a character


def with_further_fonts(function: Callable[Arguments, Axes]) -> Callable[Arguments, Axes]:
    """Return a function that draws texts with characters that their own fonts lack in :data:`FURTHER_FONTS` as well.

    Set on the texts rather than by ``plt.rc_context``: with Jupyter's inline backend that loses figures made inside.
    """

    @wraps(function)
    def drawing(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Axes:
        axes = function(*args, **kwargs)
        for text in axes.findobj(Text):
            own = text.get_fontfamily()
            if further := _further_for(text.get_text(), own)[0]:
                text.set_fontfamily([*own, *(_family_of_weight(name, text.get_fontweight()) for name in further)])
        return axes

    return drawing


def drawable(text: str) -> str:
    """Return ``text`` with an empty square for each character that no font has; invisible ones are left out."""
    missing = _further_for(text, plt.rcParams["font.family"])[1]
    return "".join(
        c if ord(c) not in missing else "" if unicodedata.category(c) in ("Cf", "Mn", "Me") else MISSING for c in text
    )


def _further_for(text: str, own: Sequence[str]) -> tuple[list[str], set[int]]:
    """Return the further fonts that ``text`` needs beside its own, and its characters that no font has."""
    chosen: list[str] = []
    missing = {ord(c) for c in text if not c.isascii()}
    if missing:
        missing -= _own_characters(tuple(own))
    for name, characters in _further_fonts(FURTHER_FONTS).items() if missing else ():
        if missing & characters:
            chosen.append(name)
            missing -= characters
    return chosen, missing


def _family_of_weight(name: str, weight: str | int) -> str:
    """Return a family with the font ``name`` in this weight: matplotlib warns about each weight that one lacks."""
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
    """Return the characters of matplotlib's own font and of those of the fonts that are here and can be drawn."""
    here = {face.name for face in font_manager.fontManager.ttflist}
    found = {name: _in_font(_nearest_face(name, "normal").fname) for name in (_OWN, *names) if name in here}
    return {name: characters for name, characters in found.items() if characters}


@cache
def _own_characters(families: tuple[str, ...]) -> frozenset[int]:
    files = {font_manager.findfont(font_manager.FontProperties(family=[name])) for name in families}
    return frozenset().union(*map(_in_font, files))


@cache
def _in_font(path: str) -> frozenset[int]:
    """Return the code points that a font file has; none if it can't be drawn."""
    try:
        return frozenset(ft2font.FT2Font(path).get_charmap())
    except (OSError, RuntimeError):
        return frozenset()
