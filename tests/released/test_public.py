"""Tests that a release's names, signatures, tables and stored strings remain. Only additions are allowed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.released.public import public_members, public_tables, stored_strings

#: Parameters that are now aliases of newer ones: None means the newer one's default.
ALIASES = {("cl.evaluate", "overlap")}
#: Columns that are gone: the boxes of a classifier, which were always empty.
GONE = {f"{task}: Model.detect_many()": {"left", "top", "width", "height"} for task in ("single-label", "multi-label")}
#: Objects created by projects and reports only, whose constructors nobody else calls.
MADE_FOR_USERS = {"Labels", "Snapshots", "Results"}
pytestmark = pytest.mark.thorough
RELEASES = sorted(path.parent for path in Path(__file__).parent.glob("*/public.json"))


@pytest.fixture(params=RELEASES, ids=lambda path: path.name)
def release(request: pytest.FixtureRequest) -> Path:
    folder: Path = request.param
    return folder


def kept(release: Path, name: str) -> Any:
    return json.loads((release / f"{name}.json").read_text("utf-8"))


def test_members_and_their_parameters_stay(release: Path) -> None:
    now, changed = public_members(), []
    for name, parameters in kept(release, "public")["members"].items():
        there = now.get(name, "gone")
        if name in MADE_FOR_USERS and there != "gone":
            continue
        if parameters is None or there is None or there == "gone":
            changed += [(name, parameters, there)] if there != parameters else []
            continue
        by_name = {parameter[0]: parameter for parameter in there}
        parameters = [[*p[:2], "None"] if (name, p[0]) in ALIASES else p for p in parameters]
        positional = [parameter for parameter in there if parameter[1] != "KEYWORD_ONLY"]
        changed += [(name, before, by_name.get(before[0])) for before in parameters if by_name.get(before[0]) != before]
        first = [parameter for parameter in parameters if parameter[1] != "KEYWORD_ONLY"]
        changed += [(name, first, positional)] if positional[: len(first)] != first else []
    assert changed == []


def test_tables_keep_their_columns_and_dtypes(release: Path) -> None:
    now = public_tables(release)
    before = kept(release, "public")["tables"]
    assert len(before) > 40
    for name, columns in before.items():
        stays = {column: dtype for column, dtype in columns.items() if column not in GONE.get(name, ())}
        assert stays.items() <= now[name].items(), name


def test_stored_words_stay(release: Path) -> None:
    now = stored_strings()
    gone = {kind: sorted(set(words) - set(now.get(kind, []))) for kind, words in kept(release, "strings").items()}
    assert {kind: words for kind, words in gone.items() if words} == {}
