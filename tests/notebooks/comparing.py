"""Compare committed outputs with those of a new run."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from tests.notebooks.cleaning import joined, sources_hash
from tests.notebooks.running import tags_of

VARIES = "varies"
_UNITS = r"(?:\s?(?:ms|µs|s|min|h|bytes|KB|kB|MB|GB|%))?"
_NUMBER = re.compile(rf"[-+−–]?(?:\d[\d,.:]*(?:e[-+]?\d+)?|\bnan\b|\binf\b){_UNITS}(?![A-Za-z])", re.IGNORECASE)


def stale(committed: Any, fresh: Any) -> list[str]:
    """Describe the differences between the outputs in the repository and those of a new run, one sentence per cell.

    Both have been cleaned. Numbers, their units and the order of words (tables are sorted by numbers) are ignored, as
    machines differ. In cells tagged ``varies``, only the kinds of the outputs are compared.
    """
    found = []
    if edited(committed):
        found.append("cells were edited since the outputs were made")
    code = [[cell for cell in notebook.cells if cell.cell_type == "code"] for notebook in (committed, fresh)]
    if len(code[0]) != len(code[1]):
        return [*found, f"{len(code[0])} code cells are committed, {len(code[1])} ran"]
    for number, (old, new) in enumerate(zip(*code, strict=True), 1):
        difference = _difference(old, new)
        if difference:
            found.append(f"cell {number} ({new.source.strip().splitlines()[0][:60]}): {difference}")
    return found


def edited(committed: Any) -> bool:
    """Return True if a cell was edited since the outputs were created."""
    return bool(committed.metadata.get("sources") != sources_hash(committed))


def settle(committed: Any, fresh: Any) -> None:
    """Restore outputs of cells tagged ``varies`` if only numbers changed, so that a refresh changes nothing else."""
    if edited(committed):
        return
    for old, new in zip(committed.cells, fresh.cells, strict=True):
        if (
            new.cell_type == "code"
            and old.source == new.source
            and old.outputs
            and VARIES in tags_of(new)
            and _difference(old, new) is None
        ):
            new.outputs = old.outputs


def masked(text: str) -> str:
    """Remove the numbers of a text, and the spaces and lines of tables."""
    return re.sub(r"[\s|─-╿.-]+", " ", _NUMBER.sub("#", text)).strip()


def _difference(old: Any, new: Any) -> str | None:
    """Describe how the outputs of a cell differ, or return None."""
    outputs = [joined(cell.outputs) for cell in (old, new)]
    kinds = [[_kind(output) for output in each] for each in outputs]
    if kinds[0] != kinds[1]:
        return f"outputs are {kinds[1] or 'none'}, committed {kinds[0] or 'none'}"
    if VARIES in tags_of(new):
        return None
    for before, after in zip(*outputs, strict=True):
        words = [Counter(masked(_text(output)).split()) for output in (before, after)]
        if words[0] != words[1]:
            gone, come = words[0] - words[1], words[1] - words[0]
            return f"new words {sorted(come)[:20]}, lost words {sorted(gone)[:20]}"
    return None


def _kind(output: Any) -> str:
    """Return the kind of an output. All image formats count as one."""
    if output.output_type != "display_data" and output.output_type != "execute_result":
        return f"{output.output_type} {output.get('name', output.get('ename', ''))}".strip()
    kinds = {kind.replace("image/jpeg", "picture").replace("image/png", "picture") for kind in output.data}
    return "+".join(sorted(kinds))


def _text(output: Any) -> str:
    """Return the plain text of an output."""
    if output.output_type == "stream":
        return str(output.text)
    if output.output_type == "error":
        return f"{output.ename}: {output.evalue}"
    return str(output.data.get("text/plain", ""))
