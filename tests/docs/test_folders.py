"""Test that the guide about folders names the tools whose files are not read, as the code does."""

from __future__ import annotations

from customlabels_nb.datasets.formats.other_tools import TOOLS
from tests.conftest import ROOT


def test_guide_names_tools_that_are_not_read() -> None:
    page = (ROOT / "docs" / "guides" / "folders.md").read_text("utf-8")
    rows = page.partition("| --- | --- |")[2].rpartition("| --- | --- |")[2].strip().splitlines()
    table = [row for row in rows if row.startswith("|")]
    assert table == [f"| {tool.name} | {tool.instead} |" for tool in TOOLS]
