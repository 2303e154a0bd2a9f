"""Tests of joining a widget's JavaScript modules, and of responses to its page."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anywidget
import pytest
import traitlets

from customlabels_nb.widgets._base import STATIC, MessageHandler, join_modules
from tests import provision


def write(folder: Path, **modules: str) -> None:
    for name, source in modules.items():
        (folder / f"{name}.js").write_text(source)


def run_node(code: str, folder: Path) -> str:
    """Run JavaScript with Node and return its output."""
    (folder / "joined.mjs").write_text(code)
    done = subprocess.run([provision.find_node(), "joined.mjs"], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_modules_come_once_and_after_what_they_import(tmp_path: Path) -> None:
    write(
        tmp_path,
        low="export const low = 1;\nexport let counter = 0;\ncounter += 1;\n",
        middle='import { low } from "./low.js";\n\nexport async function middle() {\n  return low + counter;\n}\n',
        entry=(
            'import {\n  low,\n  counter,\n} from "./low.js";\nimport { middle } from "./middle.js";\n\n'
            "export class Own {}\nconsole.log(low, counter, await middle());\nexport default { Own };\n"
        ),
    )
    write(tmp_path, middle=(tmp_path / "middle.js").read_text().replace("{ low }", "{ low, counter }"))
    joined = join_modules(tmp_path / "entry.js")
    assert "import" not in joined
    assert joined.count("const low") == 1
    assert "export class Own" in joined
    assert run_node(joined, tmp_path) == "1 1 2"


def test_a_circle_and_a_doubled_name_are_refused(tmp_path: Path) -> None:
    write(tmp_path, a='import "./b.js";\n', b='import "./a.js";\n')
    with pytest.raises(ValueError, match="imports itself"):
        join_modules(tmp_path / "a.js")
    write(tmp_path, a='import { x } from "./b.js";\nfunction y() {}\n', b="export const x = 1;\nconst y = 2;\n")
    with pytest.raises(ValueError, match=r"'y' .* b\.js and a\.js"):
        join_modules(tmp_path / "a.js")


def test_text_that_looks_like_an_import_is_ignored(tmp_path: Path) -> None:
    source = 'export const CELL = ".cell";\nexport function of(root) {\n  return root.closest(".cell");\n}\n'
    write(tmp_path, a='import { CELL } from "./b.js";\nconsole.log(CELL);\n', b=source)
    assert run_node(join_modules(tmp_path / "a.js"), tmp_path) == ".cell"


def test_every_shared_module_can_be_joined_and_loaded(tmp_path: Path) -> None:
    modules = sorted((STATIC / "shared").rglob("*.js"))
    assert modules
    for module in modules:
        assert run_node(join_modules(module), tmp_path) == ""


@pytest.mark.parametrize(
    "line",
    [
        'import { x as y } from "./b.js";',
        'import { fromBox as y } from "./b.js";',
        'import * as b from "./b.js";',
        'import { x } from "./b.js"; // for y',
        'export { x } from "./b.js";',
    ],
)
def test_an_import_that_would_be_lost_in_joining_is_refused(line: str, tmp_path: Path) -> None:
    write(tmp_path, a=f"{line}\n", b="export const x = 1;\n")
    with pytest.raises(ValueError, match=r"a\.js.* cannot be bundled"):
        join_modules(tmp_path / "a.js")


class Asked(MessageHandler, anywidget.AnyWidget):
    """Widget that responds with the content of `answers`."""

    _esm = "export default {};"
    comm = traitlets.Any(allow_none=True)  # ipywidgets 7 accepts only comms of ipykernel

    def __init__(self, answers: dict[str, Any]) -> None:
        super().__init__()
        self.handlers = {kind: lambda found=found: found for kind, found in answers.items()}
        self.sent: list[Any] = []
        nothing = lambda *_, **__: None  # noqa: E731
        self.comm = SimpleNamespace(
            comm_id="1", kernel=object(), send=self._take, on_msg=nothing, on_close=nothing, close=nothing
        )

    def _take(self, data: Any, buffers: Any = None) -> None:
        if data["method"] == "custom":
            self.sent.append(json.loads(json.dumps(data["content"])))
        self.comm._reply_subshell_id = None  # like ipykernel


def test_response_that_is_no_json_becomes_an_error() -> None:
    widget = Asked({"good": ({"rows": 1}, [b"x"]), "bad": {"rows": Path("x")}})
    widget.answer(widget, {"id": "1", "kind": "good"}, [])
    widget.answer(widget, {"id": "2", "kind": "bad"}, [])
    widget.answer(widget, {"id": "3", "kind": "unknown"}, [])
    good, bad, unknown = widget.sent
    assert good == {"answer": "1", "content": {"rows": 1}}
    assert (bad["answer"], unknown["answer"]) == ("2", "3")
    assert "JSON" in bad["error"]
    assert "'unknown'" in unknown["error"]


def test_messages_from_a_cell_do_not_bind_the_page_to_its_thread() -> None:
    widget = Asked({})
    for tell in (lambda: widget.send({"push": "news"}), widget.send_state, widget.open):
        widget.comm._reply_subshell_id = "another"
        tell()
        assert not hasattr(widget.comm, "_reply_subshell_id")
    assert widget.sent == [{"push": "news"}]
