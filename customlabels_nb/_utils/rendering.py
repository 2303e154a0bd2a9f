"""Render the HTML that notebooks display for objects, from the Jinja templates in ``templates/``.

Names of labels, files and models are untrusted: every value is escaped and put on one line. Only ``Markup`` that a
template has rendered is inserted unchanged. Line breaks in a template and the indentation around them are removed.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from customlabels_nb._utils.text import escaped

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"
_MOST_ROWS = 20


def render(template: str, **values: Any) -> str:
    """Render a file in ``templates/``. A missing variable is an error."""
    return _environment().get_template(template).render(values)


def facts_html(
    name: str = "",
    facts: Sequence[str] = (),
    sentences: Sequence[str] = (),
    *,
    columns: Sequence[str] = (),
    rows: Sequence[Sequence[Any]] = (),
    more: str = "",
) -> str:
    """Return the HTML of an object: its name and facts on a line, sentences, and a table with a remark below it."""
    values = {"name": name, "facts": facts, "sentences": sentences, "columns": columns, "rows": rows, "more": more}
    return render("facts.html", **values)


class ShownWithTable:
    """Base of reports that a notebook shows as the first paragraph of their text and the first rows of a table."""

    _shown_table = "issues"

    def _repr_html_(self) -> str:
        table = getattr(self, self._shown_table).dropna(axis="columns", how="all")
        first = table.head(_MOST_ROWS).astype(object)
        rows = list(first.where(first.notna(), None).itertuples(index=False, name=None))
        more = f"and {len(table) - _MOST_ROWS:,} more in .{self._shown_table}" if len(table) > _MOST_ROWS else ""
        sentences = repr(self).partition("\n\n")[0].split("\n")
        return facts_html(sentences=sentences, columns=list(table), rows=rows, more=more)


def data_url(data: bytes, kind: str = "image/jpeg") -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from jinja2.ext import Extension
    from jinja2.lexer import Token, TokenStream
    from markupsafe import Markup

    class JoinLines(Extension):
        def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
            for token in stream:
                is_text = token.type == "data"
                yield Token(token.lineno, "data", re.sub(r"\s*\n\s*", "", token.value)) if is_text else token

    def one_line(value: Any) -> Markup:
        return value if isinstance(value, Markup) else Markup(escaped(str(value)))

    def lines(text: str) -> Markup:
        return Markup("\n").join(map(one_line, text.split("\n")))

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        extensions=[JoinLines],
        autoescape=True,
        auto_reload=False,
        undefined=StrictUndefined,
        finalize=one_line,
    )
    environment.filters |= {"lines": lines, "number": _number}
    environment.tests["missing"] = _is_missing
    return environment


def _number(value: float, digits: int = 0) -> str:
    """Format a number with ``digits`` decimal places, or a dash if it is missing."""
    return "—" if _is_missing(value) else f"{value:,.{digits}f}"


def _is_missing(value: Any) -> bool:
    return value is None or value != value  # NaN is not equal to itself
