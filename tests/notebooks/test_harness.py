"""Tests that outputs are cleaned for the repository, and compared with those of a new run."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import nbformat
from PIL import Image

from tests.notebooks.cleaning import WIDGET, clean, sources_hash, visible_text
from tests.notebooks.comparing import masked, settle, stale


def png(size: tuple[int, int] = (4, 4)) -> str:
    """Return a PNG image encoded in base64."""
    buffer = io.BytesIO()
    Image.new("RGB", size, "red").save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def shown(data: dict[str, Any], source: str = "x", tags: tuple[str, ...] = ()) -> nbformat.NotebookNode:
    """Return a notebook with one cell that displayed this data."""
    output = nbformat.v4.new_output("display_data", data)
    cell = nbformat.v4.new_code_cell(source, outputs=[output], metadata={"tags": list(tags), "scrolled": True})
    return nbformat.v4.new_notebook(cells=[cell])


def test_committed_outputs_have_no_widgets_paths_or_times(tmp_path: Path) -> None:
    notebook = shown({"text/plain": f"{tmp_path.as_posix()}/rooms.2031-11-20T21.22.01 at 2031-11-20 21:22"})
    notebook.cells[0].outputs.append(nbformat.v4.new_output("display_data", {WIDGET: {}, "text/plain": "Gallery(…)"}))
    made = clean(notebook, tmp_path)
    assert [output.data for output in made.cells[0].outputs] == [
        {"text/plain": "~/rooms.2026-01-01T12.00.00 at 2026-01-01 12:00"}
    ]
    assert made.cells[0].metadata == {"tags": []}
    assert made.metadata["sources"] == sources_hash(notebook)
    nbformat.validate(made)


def test_html_with_styles_or_pictures_becomes_a_picture_with_its_words(tmp_path: Path) -> None:
    plain = "<table><tr><td>1</td></tr></table>"
    assert clean(shown({"text/html": plain}), tmp_path).cells[0].outputs[0].data == {"text/html": plain}
    markup = f'<div style="color:red"><img alt="a cat" src="data:image/png;base64,{png()}"><b>two</b><p>words</p></div>'
    made = clean(
        shown({"text/html": markup, "image/jpeg": png()}), tmp_path, lambda _: (base64.b64decode(png()), (3, 2))
    )
    (output,) = made.cells[0].outputs
    assert set(output.data) == {"text/plain", "image/png"}
    assert output.data["text/plain"] == "a cat two\nwords"
    assert output.metadata == {"image/png": {"width": 3, "height": 2}}
    assert visible_text("<style>p {}</style><tr><td>1</td><td>2</td></tr><p>3</p>") == "1 2\n3"


def test_large_photos_become_smaller(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.merge("RGB", [Image.effect_noise((2400, 300), 90) for _ in "rgb"]).save(buffer, "PNG")
    made = clean(shown({"image/png": base64.b64encode(buffer.getvalue()).decode()}), tmp_path)
    data = base64.b64decode(made.cells[0].outputs[0].data["image/jpeg"])
    assert len(data) < buffer.tell()
    assert Image.open(io.BytesIO(data)).width == 1800


def test_changed_text_is_stale_and_changed_numbers_are_not(tmp_path: Path) -> None:
    old = clean(shown({"text/plain": "F1 0.91 in 1.2 s\ncat  0.9\ndog  0.8"}), tmp_path)
    assert stale(old, clean(shown({"text/plain": "F1 0.8 in 900 ms\ndog 0.95\ncat 0.85"}), tmp_path)) == []
    (told,) = stale(old, clean(shown({"text/plain": "F1 0.91 in 1.2 s\ncat  0.9\ncow  0.8"}), tmp_path))
    assert "'cow'" in told
    assert "'dog'" in told
    (told,) = stale(
        old, clean(shown({"text/plain": old.cells[0].outputs[0].data["text/plain"], "image/png": png()}), tmp_path)
    )
    assert "picture" in told
    assert masked("3 µs, -1.5e-3") == "#, #"


def test_output_printed_in_pieces_is_joined(tmp_path: Path) -> None:
    whole, pieces = (nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x")]) for _ in range(2))
    for notebook, texts in ((whole, ["a\nb\n"]), (pieces, ["a\n", "b\n"])):
        notebook.cells[0].outputs = [nbformat.v4.new_output("stream", name="stdout", text=text) for text in texts]
        notebook.cells[0].outputs.append(nbformat.v4.new_output("stream", name="stderr", text="c\n"))
    made = clean(pieces, tmp_path)
    assert [(output.name, output.text) for output in made.cells[0].outputs] == [("stdout", "a\nb\n"), ("stderr", "c\n")]
    assert stale(clean(whole, tmp_path), made) == []
    made.cells[0].outputs = pieces.cells[0].outputs
    assert stale(made, clean(whole, tmp_path)) == [], "also if it was committed in pieces"


def test_edited_cell_makes_the_notebook_stale(tmp_path: Path) -> None:
    old = clean(shown({"text/plain": "1"}), tmp_path)
    old.cells[0].source = "y"
    (told,) = stale(old, clean(shown({"text/plain": "1"}, "y"), tmp_path))
    assert "edited" in told


def test_varying_cells_are_compared_by_output_type(tmp_path: Path) -> None:
    old, new = (clean(shown({"text/plain": word}, tags=("varies",)), tmp_path) for word in ("a", "b"))
    assert stale(old, new) == []
    other = clean(shown({"text/plain": "a", "image/png": png()}, tags=("varies",)), tmp_path)
    assert len(stale(old, other)) == 1


def test_a_refresh_keeps_outputs_that_only_vary_unless_a_cell_was_edited(tmp_path: Path) -> None:
    def told(committed: Any, fresh: Any) -> str:
        settle(committed, fresh)
        return fresh.cells[0].outputs[0].data["text/plain"]

    def made(word: str, source: str = "x") -> Any:
        return clean(shown({"text/plain": word}, source, tags=("varies",)), tmp_path)

    assert told(made("a"), made("b")) == "a"
    assert told(made("a"), made("b", "y")) == "b", "another cell"
    old = made("a")
    old.cells.append(nbformat.v4.new_markdown_cell("new"))
    assert told(old, made("b")) == "b", "an edit may affect any output"
