"""Joining a widget's JavaScript from modules."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from customlabels_nb.widgets._base import STATIC, join_modules
from tests import provision


def write(folder: Path, **modules: str) -> None:
    for name, source in modules.items():
        (folder / f"{name}.js").write_text(source)


def run_node(code: str, folder: Path) -> str:
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
    with pytest.raises(ValueError, match=r"'y' .* b\.js and of a\.js"):
        join_modules(tmp_path / "a.js")


def test_every_shared_module_can_be_joined_and_loaded(tmp_path: Path) -> None:
    modules = sorted(STATIC.glob("shared/*.js"))
    assert modules
    for module in modules:
        assert run_node(join_modules(module), tmp_path) == ""
