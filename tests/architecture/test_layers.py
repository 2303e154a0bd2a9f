"""Test that the layers checked by import-linter are those shown in CONTRIBUTING.md."""

from __future__ import annotations

import re
import tomllib

from tests.conftest import ROOT

CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text("utf-8")


def test_contributing_shows_the_layers_that_are_checked() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    (contract,) = (one for one in config["tool"]["importlinter"]["contracts"] if one["type"] == "layers")
    assert contract["containers"] == ["customlabels_nb"]
    assert contract["exhaustive"] is True
    assert contract["exhaustive_ignores"] == ["notebooks"]  # part of the wheel only, and not Python code
    (shown,) = (block for block in re.findall(r"\n\n```\n(.*?)\n```\n", CONTRIBUTING, re.DOTALL) if " > " in block)
    assert [layer.split(", ") for layer in re.split(r"\s+> ", shown)] == [
        layer.split(" : ") for layer in contract["layers"]
    ]


def test_contributing_says_what_is_in_each_package() -> None:
    packages = {path.parent.name for path in (ROOT / "customlabels_nb").glob("*/__init__.py")}
    assert packages == set(re.findall(r"^- `(\w+)/`: ", CONTRIBUTING, re.MULTILINE))
