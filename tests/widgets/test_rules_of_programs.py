"""Tests that scripts and styles of the widgets keep the rules of VS Code, Colab and sandboxed frames."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from customlabels_nb.widgets._base import STATIC

#: Pattern → why a notebook program refuses it, as `docs/notebook_programs.md` says.
REFUSED = {
    r"\beval\s*\(|\bnew\s+Function\b|\bset(?:Timeout|Interval)\(\s*[\"'`]": "text is run as code",
    r"\bimport\s*\(|\bimportScripts\b|\bnew\s+(?:Shared)?Worker\b": "a script is loaded",
    r"\bfetch\s*\(|\bXMLHttpRequest\b|\bnew\s+(?:WebSocket|EventSource)\b|\bsendBeacon\b": "a server is asked",
    r"[\"'`](?:https?:)?//(?!www\.w3\.org/)[\w.]": "another origin is named",
    r"\b(?:innerHTML|outerHTML|insertAdjacentHTML|document\.write)\b": "text becomes HTML",
    r"\bwindow\.(?:parent|top|opener)\b|\bdocument\.(?:cookie|domain)\b": "the page around the frame is used",
    r"@import\b|:[^;{}()]*\burl\(\s*[\"']?(?!data:|#)": "a style loads a file",
}
#: The only file that parses HTML: constant layouts, see `tests/architecture/test_front_end.py`.
LAYOUTS = STATIC / "shared" / "template.js"
FILES = sorted(path for path in STATIC.rglob("*") if path.suffix in (".js", ".css"))


def refused(source: str) -> list[str]:
    """Return what notebook programs would refuse in a script or style, without its comments."""
    code = re.sub(r"/\*.*?\*/|^\s*//.*?$", "", source, flags=re.DOTALL | re.MULTILINE)
    return [f"{why}: {found[0]}" for pattern, why in REFUSED.items() for found in re.finditer(pattern, code)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(STATIC).as_posix())
def test_a_file_keeps_the_rules(path: Path) -> None:
    assert refused(path.read_text("utf-8")) == (["text becomes HTML: innerHTML"] if path == LAYOUTS else [])


@pytest.mark.parametrize(
    "source",
    [
        "eval(text)",
        "const f = new Function('x', 'return x')",
        "setTimeout('go()', 5)",
        "const m = await import(url)",
        "fetch('/files/a.jpg')",
        "image.src = 'https://example.org/a.png'",
        'image.src = "//example.org/a.png"',
        "node.innerHTML = name",
        "window.parent.postMessage(1)",
        '@import "a.css";',
        ".a { background: url(a.png) }",
    ],
)
def test_violations_of_rules_are_found(source: str) -> None:
    assert len(refused(source)) == 1


def test_programs_that_keep_the_rules_pass() -> None:
    source = "// fetch() is not used\nimport { a } from './a.js';\nconst url = 'data:,';\n.a { fill: url(#shade) }"
    assert refused(source) == []
    assert len(FILES) > 80
