"""One thing that was looked at, and what it was found to be."""

from __future__ import annotations

from dataclasses import dataclass

GOOD, NOTE, WARNING, PROBLEM = "good", "note", "warning", "problem"
#: From best to worst.
STATES = (GOOD, NOTE, WARNING, PROBLEM)


@dataclass(frozen=True)
class DiagnosticLine:
    """One line of a check-up.

    Attributes
    ----------
    section : str
        What it belongs to: "packages", "machine", "widgets", …
    name : str
    state : str
        "good"; "note": something optional isn't there; "warning": it works, but not as well as it could or not
        everywhere; "problem": something needed is missing.
    text : str
        What was found.
    advice : str
        What to do about it; empty where there is nothing to do.
    """

    section: str
    name: str
    state: str
    text: str
    advice: str = ""
