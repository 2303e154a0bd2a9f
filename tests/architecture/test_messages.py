"""Tests that the messages of errors name arguments that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import customlabels_nb

PACKAGE = Path(customlabels_nb.__file__).parent
INTERFACE = Path(__file__).parents[1] / "released" / "1.0.0" / "interface.json"
ERRORS = {"InputError", "LabelError", "NotAllowedError", "NotEnoughDataError", "TableError"}
ARGUMENT = re.compile(r"([a-z_]+)(?:=| (?:has|must|contains|is)\b)")


def text_of(message: ast.expr) -> str:
    parts = message.values if isinstance(message, ast.JoinedStr) else [message]
    return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in parts)


def test_messages_name_arguments_that_exist() -> None:
    public = set(re.findall(r"\w+", INTERFACE.read_text("utf-8")))
    unknown = []
    for file in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(file.read_text("utf-8"))
        fields = {node.target.id for node in ast.walk(tree) if isinstance(node, ast.AnnAssign)
                  and isinstance(node.target, ast.Name)}  # fmt: skip
        known = public | fields | {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
        for error in (node.exc for node in ast.walk(tree) if isinstance(node, ast.Raise)):
            if isinstance(error, ast.Call) and isinstance(error.func, ast.Name) and error.func.id in ERRORS:
                argument = ARGUMENT.match(text_of(error.args[0]) if error.args else "")
                if argument and argument[1] not in known:
                    unknown.append(f"{file.name}:{error.lineno}: {argument[1]}")
    assert unknown == []
