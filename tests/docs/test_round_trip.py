"""Test that the guide about corrections describes each format as the code does."""

from __future__ import annotations

from customlabels_nb.datasets.formats import FORMATS
from tests.conftest import ROOT


def test_guide_describes_images_without_labels() -> None:
    page = (ROOT / "docs" / "guides" / "round_trip.md").read_text("utf-8")
    rows = [line for line in page.splitlines() if line.endswith(" px |")]
    assert sorted(rows) == sorted(
        f"| `{name}` | {each.empty or 'looks like an unlabelled image'} | {each.unlabelled} | {each.rounding:g} px |"
        for name, each in FORMATS.items()
    )
    assert all(bool(each.empty) == ("empty" in each.holds) for each in FORMATS.values())
