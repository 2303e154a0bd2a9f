"""Write the reference from the docstrings: ``python -m tests.docs``."""

from __future__ import annotations

from tests.docs.reference import REFERENCE, markdown

REFERENCE.parent.mkdir(exist_ok=True)
REFERENCE.write_text(markdown(), "utf-8")
print(f"{REFERENCE.name}: {REFERENCE.stat().st_size / 1000:.0f} KB")
