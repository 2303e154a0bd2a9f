"""Tests of templates: data is escaped, and a missing value is an error."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

import pytest
from jinja2 import TemplateNotFound, UndefinedError

from customlabels_nb._utils import rendering
from customlabels_nb._utils.rendering import data_url, facts_html, render

TEMPLATES = sorted(path.name for path in (Path(rendering.__file__).parent / "templates").iterdir())
HOSTILE = '<b>"\x1b[2J\n<script>'


def test_values_become_one_line_of_escaped_text() -> None:
    shown = render("labels.html", labels=[(HOSTILE, 'red"><b>')])
    assert "<bdi>&lt;b&gt;&quot;\ufffd[2J &lt;script&gt;</bdi>" in shown
    assert 'style="color:red&quot;&gt;&lt;b&gt;"' in shown
    assert "\n" not in shown


def test_a_program_keeps_its_lines() -> None:
    class Block:
        kind, text = "code", "if a < b:\n    print('x')"

    assert "<pre>if a &lt; b:\n    print(&#x27;x&#x27;)</pre>" in render("model_card.html", blocks=[Block()])


def test_a_missing_value_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="labels"):
        render("labels.html")


def test_a_missing_value_of_a_table_is_a_dash() -> None:
    rows = [("apple", 0.12345, 1234), ("pear", None, float("nan"))]
    html = facts_html("v1", ["Trained."], columns=["label", "f1", "images"], rows=rows)
    assert html.startswith('<div class="mathjax_ignore tex2jax_ignore"')
    text = " ".join(re.sub("<[^>]*>", " ", html).split())
    assert text == "v1 · Trained. label f1 images apple 0.123 1,234 pear — —"


@pytest.mark.parametrize("name", TEMPLATES)
def test_no_template_marks_a_value_as_safe(name: str) -> None:
    text = (Path(rendering.__file__).parent / "templates" / name).read_text("utf-8")
    assert not any(word in text for word in ("|safe", "| safe", "autoescape", "Markup"))
    with suppress(UndefinedError, TemplateNotFound):  # its syntax is valid, and Voilà has the base of one
        render(name)


def test_a_picture_is_a_url() -> None:
    assert data_url(b"\xff\xd8") == "data:image/jpeg;base64,/9g="
