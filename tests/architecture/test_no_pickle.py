"""Test that the package never loads data in a way that can run code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

MODULES = {"cloudpickle", "copyreg", "dill", "joblib", "marshal", "pickle", "shelve"}
PICKLED_CHANNELS = {"multiprocessing", "ProcessPoolExecutor", "broadcast_object_list", "all_gather_object"}


def findings(source: str) -> Iterator[str]:
    """Yield the places in Python source that unpickle, or that could."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in MODULES | PICKLED_CHANNELS:
            yield f"line {node.lineno}: from {node.module} import"
        if isinstance(node, ast.Import):
            for name in node.names:
                if name.name.partition(".")[0] in PICKLED_CHANNELS:
                    yield f"line {node.lineno}: import {name.name}"
        called = node.func if isinstance(node, ast.Call) else None
        if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name) and called.value.id in MODULES:
            yield f"line {node.lineno}: {called.value.id}.{called.attr}()"
        if isinstance(called, ast.Attribute | ast.Name):
            name = ast.unparse(called)
            given = {word.arg: ast.unparse(word.value) for word in node.keywords}
            if name == "torch.load" and given.get("weights_only") != "True":
                yield f"line {node.lineno}: torch.load() without weights_only=True"
            if given.get("weights_only", "True") != "True" or given.get("allow_pickle", "False") != "False":
                yield f"line {node.lineno}: {name}() unpickles"
            if name.rpartition(".")[2] in PICKLED_CHANNELS:
                yield f"line {node.lineno}: {name}()"


@pytest.mark.parametrize(
    "source",
    [
        "pickle.loads(x)", "from pickle import loads", "torch.load(x)", "torch.load(x, weights_only=False)",
        "np.load(x, allow_pickle=True)", "weights.get_state_dict(weights_only=safe)", "import multiprocessing.pool",
        "ProcessPoolExecutor(2)", "dist.broadcast_object_list([x])", "joblib.load(x)",
    ],
)  # fmt: skip
def test_check_finds_code_that_unpickles(source: str) -> None:
    assert list(findings(source))


def test_the_package_unpickles_nothing() -> None:
    folder = Path(ROOT, "customlabels_nb")
    found = [f"{path}: {what}" for path in sorted(folder.rglob("*.py")) for what in findings(path.read_text("utf-8"))]
    assert found == []
