"""What a message tells, whatever its words: its numbers, names, arguments and files, in their order."""

from __future__ import annotations

import re


def facts(*names: object) -> re.Pattern[str]:
    """A pattern of a line with these facts in this order, each whole, and no other number between them.

    It fits ``match=`` of pytest and what Playwright expects as well: so it has only what JavaScript knows, too.
    """
    return re.compile(r"[^\d\n]*".join(_whole(str(name)) for name in names))


def tells(text: str, *names: object) -> bool:
    """Whether a line of a text has these facts in this order, each whole, and no other number between them."""
    return facts(*names).search(text) is not None


def _whole(name: str) -> str:
    """3 is neither in 13, 3.5 and 1,300 nor in v3, nor is pear in pears."""
    before = r"(?<!\w)(?<!\d[.,])" if re.match(r"\w", name) else ""
    after = r"(?!\w|[.,]\d)" if re.search(r"\w$", name) else ""
    return before + re.escape(name) + after
