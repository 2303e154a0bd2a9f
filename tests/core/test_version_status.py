"""Tests of the table of statuses: nothing else lists them."""

from __future__ import annotations

import ast
from pathlib import Path

import customlabels_nb
from customlabels_nb.core import version_status
from customlabels_nb.core.version_status import BUSY, READY, RESUMABLE, RUNNING, VERSION_STATUSES, endpoint_status

PACKAGE = Path(customlabels_nb.__file__).parent


def test_groups_of_statuses_follow_from_the_table() -> None:
    assert set(RUNNING) == {"STARTING", "RUNNING", "STOPPING"}
    assert set(BUSY) == {"TRAINING_IN_PROGRESS", "COPYING_IN_PROGRESS", *RUNNING}
    assert set(READY) == {"TRAINING_COMPLETED", "COPYING_COMPLETED", "STOPPED", "FAILED", *RUNNING}
    assert set(RESUMABLE) == {"TRAINING_STOPPED", "TRAINING_FAILED"}


def test_endpoints_have_no_status_of_their_own() -> None:
    other = {name: endpoint_status(name) for name in VERSION_STATUSES if endpoint_status(name) != name}
    assert other == {"TRAINING_STOPPED": "TRAINING_FAILED"}


def test_no_other_module_lists_statuses() -> None:
    names = {*VERSION_STATUSES} - {"FAILED", "DELETING"}
    listing = []
    for path in PACKAGE.rglob("*.py"):
        if path == Path(version_status.__file__) or not any(f'"{name}"' in path.read_text("utf-8") for name in names):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Tuple | ast.List | ast.Set):
                values = [part.value for part in node.elts if isinstance(part, ast.Constant)]
                if sum(value in names for value in values if isinstance(value, str)) > 1:
                    listing.append(f"{path.name}:{node.lineno}")
    assert listing == []
