"""Names that people gave (labels, files, models) on their way to a screen: no control characters, no markup."""

from __future__ import annotations

import html
import unicodedata

_JOINERS = "\u200c\u200d"  # invisible, but several scripts and many emoji fall apart without them


def printable(text: str) -> str:
    """``text`` with a mark in place of each control character but line ends: a terminal would obey them."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c == "\n" or _is_shown(c) else "\ufffd" for c in text)


def one_line(text: str) -> str:
    """``text`` as :func:`printable`, with spaces for line ends."""
    return printable(" ".join(text.splitlines()))


def escaped(text: str) -> str:
    """``text`` on one line for HTML, also inside of quotes."""
    return html.escape(one_line(text))


def counted(number: int, one: str, many: str = "") -> str:
    """A number and its noun: ``1 image``, ``2,000 images``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _is_shown(character: str) -> bool:
    # str.isprintable refuses all spaces but one, and names hold others: file names of screenshots on a Mac do
    return character.isprintable() or character in _JOINERS or unicodedata.category(character) == "Zs"
