"""Output formats tested here."""

from __future__ import annotations

LINES = ("found.jsonl", "found.manifest")
FORMS = (*LINES, "parts")
