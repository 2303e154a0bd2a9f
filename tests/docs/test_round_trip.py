"""Test that the guide about corrections describes each format as the code does."""

from __future__ import annotations

from customlabels_nb.datasets.formats import FORMATS
from customlabels_nb.datasets.formats.base import Format
from tests.conftest import ROOT
from tests.peers.readers import READERS

PAGE = (ROOT / "docs" / "guides" / "round_trip.md").read_text("utf-8")


def test_guide_describes_images_without_labels() -> None:
    rows = [line for line in PAGE.splitlines() if line.endswith(" px |")]
    assert sorted(rows) == sorted(
        f"| `{name}` | {each.empty or 'looks like an unlabelled image'} | {each.unlabelled} | {each.rounding:g} px |"
        for name, each in FORMATS.items()
    )
    assert all(bool(each.empty) == ("empty" in each.holds) for each in FORMATS.values())


def test_guide_lists_capabilities_and_readers_of_formats() -> None:
    missing = [row for row in map(row_of, FORMATS.values()) if row not in PAGE]
    assert not missing, "\n".join(missing)
    assert all(bool(each.holes) == ("polygons" in each.holds) for each in FORMATS.values())


def row_of(format_: Format) -> str:
    """Return the line of the table for a format."""
    held = ("image_labels", "boxes", "polygons", "confidence", "split", "empty")
    cells = ["yes" if what in format_.holds else "" for what in held]
    cells.insert(3, format_.holes)
    readers = [peer for peer, formats in READERS.items() if format_.name in formats]
    readers += ["the rules of Ultralytics"] if format_.name == "yolo" else []
    notes = ", ".join(f"`{note}`" for note in sorted(format_.notes))
    return f"| `{format_.name}` | {' | '.join(cells)} | {notes} | {', '.join(readers)} |".replace("  ", " ")
