"""Tests of the rules for screens whose layout is a template: where they write to the page, and with what."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import ROOT

STATIC = ROOT / "customlabels_nb" / "widgets" / "static"
#: Folders of the screens that follow the rules. Only ever add to this.
CONVERTED = ("history", "label_manager", "name_question")

_TEMPLATE = re.compile(r"\btemplate\(\s*(?P<argument>`[^`]*`|\"[^\"\n]*\"|'[^'\n]*')?(?P<rest>[^;]{0,60})")
_WRITES = re.compile(
    r"(?<![.\w])(?:element|keyHint|hint|setText|setValue|show|keepKeys|set)\("
    r"|\.(?:append|prepend|replaceChildren|replaceWith|insertBefore|insertAdjacent\w+|appendChild|removeChild|remove"
    r"|after|before|setAttribute|removeAttribute|toggleAttribute|setProperty|scrollTo|createElement\w*)\("
    r"|\.(?:textContent|innerHTML|outerHTML|innerText|className|hidden|disabled|title|src|href|srcdoc|style|scrollTop"
    r"|checked|tabIndex|cssText|data|value)\s*[-+|?&]*=(?!=)"
    r"|\.(?:classList\.(?:add|remove|toggle|replace)|dataset\.\w+\s*=(?!=)|dataset\[|style\.)"
)
_AS_HTML = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|srcdoc|DOMParser|createContextualFragment|\bdocument\.write"
)
_EXTENDS = re.compile(r"\bclass\s+\w*\s*extends\s+(\w+)")


def _sources(*folders: str) -> dict[Path, str]:
    paths = [path for folder in folders for path in sorted((STATIC / folder).rglob("*.js"))]
    return {path: re.sub(r"^\s*//.*$", "", path.read_text("utf-8"), flags=re.MULTILINE) for path in paths}


def _with_interpolation(source: str) -> list[str]:
    """Return the calls of ``template`` whose argument is anything but one constant string."""
    calls = [call for call in _TEMPLATE.finditer(source) if not source[: call.start()].endswith("function ")]
    return [
        call[0].split("\n")[0]
        for call in calls
        if not call["argument"] or "${" in call["argument"] or not re.match(r"\s*,?\s*\)", call["rest"])
    ]


def _writes(source: str) -> list[str]:
    """Return the lines that write to the page."""
    return [line.strip() for line in source.splitlines() if _WRITES.search(line)]


def test_no_layout_has_data_in_its_html() -> None:
    sources = _sources("")
    assert sum(len(_TEMPLATE.findall(source)) for source in sources.values()) > 5
    found = [
        f"{path.relative_to(STATIC)}: {line}" for path, text in sources.items() for line in _with_interpolation(text)
    ]
    assert not found, "\n".join(found)


def test_only_templates_are_read_as_html() -> None:
    found = [path.relative_to(STATIC) for path, source in _sources("").items() if _AS_HTML.search(source)]
    assert found == [Path("shared/template.js")]


@pytest.mark.parametrize("screen", CONVERTED)
def test_only_the_view_of_a_screen_writes_to_the_page(screen: str) -> None:
    assert (STATIC / screen / f"{screen}.js").exists()
    assert not (STATIC / f"{screen}.js").exists()
    sources = _sources(screen)
    assert _writes(sources.pop(STATIC / screen / "view.js"))
    found = [f"{path.relative_to(STATIC)}: {line}" for path, source in sources.items() for line in _writes(source)]
    assert not found, "\n".join(found)


def test_no_class_of_a_converted_screen_extends_another() -> None:
    found = [name for source in _sources(*CONVERTED, "shared/page").values() for name in _EXTENDS.findall(source)]
    assert not found


@pytest.mark.parametrize(
    "call",
    [
        "template(`<p>${name}</p>`)",
        'template("<p>" + name)',
        "template(`<p>`.concat(name))",
        "template(html)",
        "template('<p>', name)",
        "template(\n  `<p\n  title='${name}'>`,\n)",
    ],
)
def test_a_layout_with_data_is_found(call: str) -> None:
    assert _with_interpolation(f"const PART = {call};")
    assert not _with_interpolation("const A = template('<p></p>');\nconst B = template(\n  `<p>\n</p>`,\n);")


@pytest.mark.parametrize(
    "line",
    [
        "node.textContent = name;",
        "node.append(name);",
        "node.classList.toggle('open', true);",
        "node.dataset.label = name;",
        "field.value = '';",
        "field.value ||= name;",
        "setText(node, name);",
        "set(node, { text: name });",
        "list.scrollTop -= 3;",
        "row.remove();",
    ],
)
def test_a_write_to_the_page_is_found(line: str) -> None:
    assert _writes(line)
    assert not _writes("if (field.value === '') state.hidden.set('a', node.title == 'b'); rows.delete(key);")
