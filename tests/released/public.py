"""Record everything that users and stored files rely on: ``python -m tests.released.public``.

``public.json`` contains every public member with its signature, and the columns and dtypes of every public table.
``strings.json`` contains the strings used in databases, files, messages and style sheets. Both may grow, but nothing
in them may change or disappear: ``test_public.py`` compares them with the current code.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

import customlabels_nb as cl
from tests.conftest import ROOT
from tests.docs.reference import classes, function_of, functions, members

PACKAGE = ROOT / "customlabels_nb"
HERE = Path(__file__).resolve().parent
#: Meaning of a call's first argument.
_KINDS = {
    "Action": "history kind",
    "_action": "history kind",
    "Issue": "issue code",
    "Column": "table column",
    "Table": "table",
}


def parameters(function: Any) -> list[list[str]]:
    """Return name, kind and default of each parameter except ``self``."""
    return [
        [name, parameter.kind.name, "" if parameter.default is parameter.empty else repr(parameter.default)]
        for name, parameter in inspect.signature(function).parameters.items()
        if name not in ("self", "cls")
    ]


def public_members() -> dict[str, list[list[str]] | None]:
    """Return the parameters of each public function and method by name, None for a property."""
    found: dict[str, list[list[str]] | None] = {name: parameters(value) for name, value in functions()}
    for owner in classes():
        found[owner.__name__] = parameters(owner)
        for name, value in members(owner):
            function = function_of(value)
            if isinstance(value, staticmethod):
                function = value.__func__
            found[f"{owner.__name__}.{name}"] = None if function is None else parameters(function)
    return found


def public_tables(release: Path) -> dict[str, dict[str, str]]:
    """Return the columns and dtypes of the tables of a release's stored projects."""
    found: dict[str, dict[str, str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("single-label", "multi-label", "boxes"):
            root = Path(folder, kind)
            with zipfile.ZipFile(release / f"{kind}.zip") as opened:
                opened.extractall(root)
            project = cl.load_project(root)
            model = project.model("first")
            report = model.evaluate()
            image = str(root / project.test_set.images["image"].iloc[0])
            with model.started("cpu", engine="torch"):
                detected = model.detect(image, threshold=0)
                many = model.detect_many([image], progress=False)
            label = str(report.per_label["label"].iloc[0])
            values = {
                "Project": project,
                "Dataset": project.train_set,
                "Labels": project.labels,
                "Snapshots": project.snapshots,
                "Report": report,
                "Evaluation": report.evaluation,
                "Detection": detected,
            }
            tables = {
                f"{name}.{member}": value
                for name, owner in values.items()
                for member in dir(type(owner))
                if not member.startswith("_") and isinstance(inspect.getattr_static(type(owner), member), property)
                and isinstance(value := getattr(owner, member), pd.DataFrame)
            }  # fmt: skip
            tables |= {
                "Labels.to_frame()": project.labels.to_frame(),
                "Detection.table": detected.table,
                "Model.detect_many()": many,
                "Report.by('camera')": report.by("camera"),
                "Report.precision_recall(label)": report.precision_recall(label),
                "Report.calibration()": report.calibration(),
            }
            for name, table in tables.items():
                found[f"{kind}: {name}"] = {str(column): str(dtype) for column, dtype in table.dtypes.items()}
            project.close()
    return found


def stored_strings() -> dict[str, list[str]]:
    """Return the strings of databases, files, messages and style sheets by kind."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            for kind, word in _python_words(node):
                found[kind].add(word)
    for path in [*PACKAGE.rglob("*.js"), *PACKAGE.rglob("*.css"), *PACKAGE.rglob("*.html")]:
        text = path.read_text("utf-8")
        found["style class"].update(re.findall(r"\bclnb(?:-[a-z]+)+", text))
        found["message kind"].update(re.findall(r"\b(?:request|begin)\(\s*\"([\w ]+)\"", text))
    return {kind: sorted(words) for kind, words in sorted(found.items())}


def _python_words(node: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield the kind and text of each stored string in a syntax node."""
    if isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        first = node.args[0] if node.args else None
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            kind = _KINDS.get(name)
            if kind:
                yield kind, first.value
    elif isinstance(node, ast.Dict):
        for key in node.keys:
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                yield "key", key.value
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):  # fields of a dataclass are written too
        yield "key", node.target.id
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        if re.fullmatch(r"[A-Z]+(_[A-Z]+)+", node.value):
            yield "status or code", node.value
        yield from (("style class", word) for word in re.findall(r"\bclnb(?:-[a-z]+)+", node.value))


if __name__ == "__main__":
    release = HERE / cl.__version__
    public = {"members": public_members(), "tables": public_tables(release)}
    for name, content in (("public", public), ("strings", stored_strings())):
        (release / f"{name}.json").write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")
