"""Print the arguments of everything public as a table, to read by argument: ``python -m tests.docs.signatures``.

An argument should have one name, one default and one kind everywhere, unless there is a reason.
"""

from __future__ import annotations

import inspect
from typing import Any

import pandas as pd

from tests.docs import reference

KINDS = {"POSITIONAL_ONLY": "/", "POSITIONAL_OR_KEYWORD": "", "KEYWORD_ONLY": "*", "VAR_POSITIONAL": "*args"}


def callables() -> dict[str, Any]:
    """Return the public functions and methods by name."""
    found = dict(reference.functions())
    for owner in reference.classes():
        for name, value in reference.own_members(owner):
            function = reference.function_of(value)
            if function is not None:
                found[f"{owner.__name__}.{name}"] = function
    return found


def arguments() -> pd.DataFrame:
    """Return a row per argument of each public function: its name, position ("*" is by keyword), default and type."""
    rows = [
        {
            "argument": one.name,
            "position": KINDS.get(one.kind.name, one.kind.name) or position,
            "default": "" if one.default is inspect.Parameter.empty else repr(one.default),
            "type": str(one.annotation),
            "function": name,
        }
        for name, function in callables().items()
        for position, one in enumerate(
            (one for one in inspect.signature(function).parameters.values() if one.name not in ("self", "cls")), 1
        )
    ]
    return pd.DataFrame(rows).sort_values(["argument", "position", "function"], key=lambda column: column.map(str))


if __name__ == "__main__":
    with pd.option_context("display.width", 200, "display.max_rows", None, "display.max_colwidth", 70):
        print(arguments().to_string(index=False))
