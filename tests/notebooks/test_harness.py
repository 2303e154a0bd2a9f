"""Tests of the harness itself with tiny notebooks: it detects what it must."""

from __future__ import annotations

import base64
import io
import itertools
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import nbformat
import pytest
from PIL import Image

from customlabels_nb.quickstart import run_cells
from tests.notebooks import breaking, inside
from tests.notebooks.cleaning import WIDGET, clean, sources_hash, visible_text
from tests.notebooks.comparing import masked, settle, stale
from tests.notebooks.running import HERE, NotebookFailedError, execute, tagged, tags_of, text_of


def write(path: Path, *cells: tuple[str, str]) -> Path:
    """Write a notebook of code cells, each with tag and source."""
    made = [nbformat.v4.new_code_cell(source, metadata={"tags": [tag] if tag else []}) for tag, source in cells]
    nbformat.write(nbformat.v4.new_notebook(cells=made), path)
    return path


def test_checks_run_in_the_kernel_after_their_cells_and_leave_no_trace(tmp_path: Path) -> None:
    path = write(tmp_path / "77_x.ipynb", ("first", "number = 1"), ("", "number += 1\nprint(number)"))
    checks = tmp_path / "77.py"
    checks.write_text(
        "def after_first(ns):\n    assert ns['number'] == 1\n\ndef at_end(ns):\n    assert ns['number'] == 2\n"
    )
    run = execute(path, tmp_path / "run", checks=checks)
    assert [cell.source for cell in run.notebook.cells] == ["number = 1", "number += 1\nprint(number)"]
    assert [cell.execution_count for cell in run.notebook.cells] == [1, 2]
    assert text_of(run.notebook.cells[1]) == "2"
    assert tags_of(tagged(run.notebook, "first")) == ("first",)
    checks.write_text("def after_first(ns):\n    assert ns['number'] == 7, 'not seven'\n")
    with pytest.raises(NotebookFailedError, match=r"the check after_first(.|\n)*not seven"):
        execute(path, checks=checks)


def test_a_check_without_its_cell_is_a_failure(tmp_path: Path) -> None:
    path = write(tmp_path / "77_x.ipynb", ("first", "1"))
    (tmp_path / "77.py").write_text("def after_second(ns):\n    pass\n")
    with pytest.raises(NotebookFailedError, match="after_second"):
        execute(path, checks=tmp_path / "77.py")


def test_a_cell_that_raises_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "77_x.ipynb", ("", "1"), ("", "1 / 0"))
    with pytest.raises(NotebookFailedError, match=r"cell 2:\n1 / 0(.|\n)*ZeroDivisionError"):
        execute(path)


@pytest.mark.thorough
def test_an_answer_that_comes_while_something_is_sent_is_found(tmp_path: Path) -> None:
    """Test writing to an Output widget, which is sent back to it. One cell in fourteen used to run into the timeout."""
    source = "outputs = [w.Output() for _ in range(6)]\nfor one in outputs:\n    with one:\n        print('x')"
    cells = [nbformat.v4.new_code_cell(text) for text in ("import ipywidgets as w", *[source] * 60)]
    begun: list[float] = []
    run_cells(
        nbformat.v4.new_notebook(cells=cells),
        tmp_path,
        on_start=lambda _: begun.append(time.monotonic()),
        seconds=40,
    )
    begun.append(time.monotonic())
    assert max(later - earlier for earlier, later in itertools.pairwise(begun)) < 30


def test_asking_for_the_network_fails_even_where_the_error_is_swallowed(tmp_path: Path) -> None:
    asking = (
        "import socket, urllib.request\n"
        "try:\n    urllib.request.urlopen('http://example.org', timeout=5)\nexcept OSError as error:\n    print(error)"
    )
    path = write(tmp_path / "77_x.ipynb", ("", asking))
    with pytest.raises(NotebookFailedError, match=r"network.*example\.org"):
        execute(path)


@pytest.mark.parametrize(
    ("code", "refused"),
    [
        ("socket.create_connection(('192.0.2.1', 80), 2)", True),
        ("socket.getaddrinfo('example.org', 443)", True),
        ("socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'', ('192.0.2.1', 9))", True),
        ("s = socket.create_server(('127.0.0.1', 0)); socket.create_connection(s.getsockname())", False),
        ("socket.getaddrinfo('localhost', 80)", False),
        ("a, b = socket.socketpair(); a.send(b'x')", False),
    ],
)
def test_only_this_machine_can_be_reached(code: str, refused: bool, tmp_path: Path) -> None:
    log = tmp_path / "log"
    variables = {"PYTHONPATH": str(HERE / "offline"), "NOTEBOOKS_NETWORK_LOG": str(log)}
    ran = subprocess.run(
        [sys.executable, "-c", f"import socket; {code}"], env=variables, capture_output=True, text=True
    )
    assert ("without a network" in ran.stderr) == refused, ran.stderr
    assert (ran.returncode != 0) == refused
    assert log.exists() == refused


def test_a_break_that_nothing_looks_at_is_told(tmp_path: Path) -> None:
    """Test that of two called functions, the one whose value is not checked is reported."""
    imports = "from customlabels_nb._utils.text import escaped\n"
    imports += "from customlabels_nb._utils.durations import read_seconds"
    cells = [("", imports)]
    cells += [("seen", "safe = escaped('<b>')"), ("", "read_seconds('2min')")]
    path = write(tmp_path / "77_x.ipynb", *cells)
    (tmp_path / "77.py").write_text("def after_seen(ns):\n    assert ns['safe'] == '&lt;b&gt;'\n")
    called = breaking.calls([path], tmp_path / "77.py")
    assert list(called) == [
        ("customlabels_nb._utils.durations", "read_seconds"),
        ("customlabels_nb._utils.text", "escaped"),
    ]
    found = list(breaking.breaks(called, ("changed",), tmp_path / "77.py"))
    assert [(one.name, one.noticed) for one in found] == [("read_seconds", ""), ("escaped", "77_x.ipynb")]


class Thing:
    """Class with members to break."""

    @property
    def size(self) -> int:
        return 3

    @staticmethod
    def name() -> str:
        return "thing"

    def parts(self) -> list[int]:
        return [1, 2, 3]

    def nothing(self) -> None: ...


@pytest.mark.parametrize(
    ("name", "how", "expected"),
    [
        ("parts", "nothing", None),
        ("parts", "changed", [1, 2]),
        ("name", "changed", "thingx"),
        ("name", "nothing", None),
    ],
)
def test_methods_are_broken(name: str, how: str, expected: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Thing, name, vars(Thing)[name])  # restores it afterwards
    inside.break_function(__name__, f"Thing.{name}", how)
    assert getattr(Thing(), name)() == expected


def test_properties_are_broken_and_what_has_no_neighbour_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("size", "nothing"):
        monkeypatch.setattr(Thing, name, vars(Thing)[name])
    inside.break_function(__name__, "Thing.size", "changed")
    assert Thing().size == 4
    inside.break_function(__name__, "Thing.size", "raises")
    with pytest.raises(RuntimeError, match="on purpose"):
        assert Thing().size
    inside.break_function(__name__, "Thing.nothing", "changed")
    with pytest.raises(inside.Unchangeable):
        Thing().nothing()


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


def test_what_is_committed_has_no_widgets_no_paths_and_no_times(tmp_path: Path) -> None:
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


def committed(notebook: nbformat.NotebookNode, folder: Path) -> nbformat.NotebookNode:
    return clean(notebook, folder)


def test_other_numbers_are_not_stale_other_words_are(tmp_path: Path) -> None:
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


def test_what_a_slow_machine_prints_in_pieces_is_one_text(tmp_path: Path) -> None:
    whole, pieces = (nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x")]) for _ in range(2))
    for notebook, texts in ((whole, ["a\nb\n"]), (pieces, ["a\n", "b\n"])):
        notebook.cells[0].outputs = [nbformat.v4.new_output("stream", name="stdout", text=text) for text in texts]
        notebook.cells[0].outputs.append(nbformat.v4.new_output("stream", name="stderr", text="c\n"))
    made = clean(pieces, tmp_path)
    assert [(output.name, output.text) for output in made.cells[0].outputs] == [("stdout", "a\nb\n"), ("stderr", "c\n")]
    assert stale(clean(whole, tmp_path), made) == []
    made.cells[0].outputs = pieces.cells[0].outputs
    assert stale(made, clean(whole, tmp_path)) == [], "also if it was committed in pieces"


def test_an_edited_cell_makes_it_stale_until_it_is_run(tmp_path: Path) -> None:
    old = clean(shown({"text/plain": "1"}), tmp_path)
    old.cells[0].source = "y"
    (told,) = stale(old, clean(shown({"text/plain": "1"}, "y"), tmp_path))
    assert "edited" in told


def test_cells_that_vary_are_compared_by_their_kinds_only(tmp_path: Path) -> None:
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
