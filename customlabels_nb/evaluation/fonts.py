"""Which characters a drawing can show, and in which fonts: labels are written in any script.

matplotlib's own font has Latin, Greek, Cyrillic and a few more. For others it can look into further fonts, if it is
told their names; a character that none of them has would be a warning each time the figure is drawn.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
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
    """A function that draws so that its texts may take characters from :data:`FURTHER_FONTS`.

    Set on the texts rather than by ``plt.rc_context``: with Jupyter's inline backend that loses figures made inside.
    """

    @wraps(function)
    def drawing(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Axes:
        axes = function(*args, **kwargs)
        families = list(_families(tuple(plt.rcParams["font.family"])))
        for text in axes.findobj(Text):
            text.set_fontfamily(families)
        return axes

    return drawing


def drawable(text: str) -> str:
    """``text`` with an empty square for each character that no font has; invisible ones are left out."""
    if text.isascii():
        return text
    known = _characters(_families(tuple(plt.rcParams["font.family"])))
    return "".join(
        c if ord(c) in known else "" if unicodedata.category(c) in ("Cf", "Mn", "Me") else MISSING for c in text
    )


@cache
def _families(own: tuple[str, ...]) -> tuple[str, ...]:
    """The fonts in use, and those of the further ones that are here and can be drawn."""
    here = {entry.name: entry.fname for entry in font_manager.fontManager.ttflist}
    return tuple(dict.fromkeys([*own, *(name for name in FURTHER_FONTS if name in here and _in_font(here[name]))]))


@cache
def _characters(families: tuple[str, ...]) -> frozenset[int]:
    # matplotlib looks into its own font last, whatever is named
    files = {font_manager.findfont(font_manager.FontProperties(family=[name])) for name in (*families, _OWN)}
    return frozenset().union(*map(_in_font, files))


@cache
def _in_font(path: str) -> frozenset[int]:
    """The code points that a font file has; none if it can't be drawn."""
    try:
        return frozenset(ft2font.FT2Font(path).get_charmap())
    except (OSError, RuntimeError):
        return frozenset()
