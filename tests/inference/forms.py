"""Output formats tested here, including Parquet if pyarrow is installed, as for test_batch_parquet.py."""

from __future__ import annotations

from importlib.util import find_spec

LINES = ("found.jsonl", "found.manifest")
FORMS = (*LINES, "parts") if find_spec("pyarrow") else LINES
