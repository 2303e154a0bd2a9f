"""The forms in which answers are written here: Parquet where pyarrow is, so in what test_batch_parquet.py starts."""

from __future__ import annotations

from importlib.util import find_spec

LINES = ("found.jsonl", "found.manifest")
FORMS = (*LINES, "parts") if find_spec("pyarrow") else LINES
