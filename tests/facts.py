"""Match the facts of a message regardless of its wording: numbers, names, arguments and files, in order."""

from __future__ import annotations

import re


def facts(*names: object) -> re.Pattern[str]:
    """Return a pattern of a line with these facts in order, each whole, and no other number between them.

    It works with ``match=`` of pytest and with Playwright's expectations, so it uses only syntax that JavaScript
    shares.
    """
    return re.compile(r"[^\d\n]*".join(_whole(str(name)) for name in names))


def tells(text: str, *names: object) -> bool:
    """Return True if a line of ``text`` has these facts in order, each whole, and no other number between them."""
    return facts(*names).search(text) is not None


def _whole(name: str) -> str:
    """Return a pattern in which 3 matches neither 13, 3.5 and 1,300 nor v3, and pear does not match pears."""
    before = r"(?<!\w)(?<!\d[.,])" if re.match(r"\w", name) else ""
    after = r"(?!\w|[.,]\d)" if re.search(r"\w$", name) else ""
    return before + re.escape(name) + after
