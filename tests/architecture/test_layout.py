"""Tests of the package's top level and of repeated module names."""

from __future__ import annotations

import ast
import tomllib
from collections import Counter
from collections.abc import Iterable

from tests.conftest import ROOT

PACKAGE = ROOT / "customlabels_nb"
TOP_LEVEL = {"__init__", "cli", "quickstart", "errors", "events", "user_settings"}

#: Number of module names that may occur more than once. Only ever lower this.
MOST_REPEATED_NAMES = 6


def test_the_top_level_holds_six_modules_and_the_packages_of_the_layers() -> None:
    assert {path.stem for path in PACKAGE.glob("*.py")} == TOP_LEVEL
    config = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    (contract,) = (one for one in config["tool"]["importlinter"]["contracts"] if one["type"] == "layers")
    layers = {name for layer in contract["layers"] for name in layer.split(" : ")}
    assert {path.parent.name for path in PACKAGE.glob("*/*.py")} == layers - TOP_LEVEL


def test_no_public_classes_share_their_name() -> None:
    nodes = (node for path in PACKAGE.rglob("*.py") for node in ast.walk(ast.parse(path.read_text("utf-8"))))
    repeated = _repeated(
        node.name for node in nodes if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert repeated == {}


def test_few_modules_share_their_name() -> None:
    repeated = _repeated(path.stem for path in PACKAGE.rglob("*.py") if path.stem != "__init__")
    assert len(repeated) <= MOST_REPEATED_NAMES, repeated


def _repeated(names: Iterable[str]) -> dict[str, int]:
    """Return the names that occur more than once, with their counts."""
    return {name: count for name, count in sorted(Counter(names).items()) if count > 1}
