"""A short document as a list of blocks, written as Markdown or as HTML.

Texts in it are plain: names of labels and models are anybody's, and whatever in them would be markup is escaped here,
in one place for each of the two.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from customlabels_nb._utils.text import escaped, one_line, printable

_MARKUP = re.compile(r"([\\`*_\[\]~])")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", "$": "&#36;"}  # $ would begin a formula
_WEB = re.compile(r"(?<=:)//|(?<=www)\.", re.IGNORECASE)  # what GitHub makes links of
_BEGINNING = re.compile(r"([#+=-]|(?<=\d)[.)](?=\s|$))")
_NUMBERED = re.compile(r"\d{1,9}[.)](?=\s|$)")

_STYLE = """
.clnb-card.clnb-card { font: var(--jp-ui-font-size1, 13px)/1.45 var(--jp-ui-font-family, system-ui, sans-serif);
  color: var(--jp-ui-font-color1, inherit); border: 1px solid var(--jp-border-color2, #8884); border-radius: 6px;
  max-width: 900px; padding: 4px 16px 12px; overflow-wrap: anywhere; }
.clnb-card.clnb-card h3 { font-size: 1.3em; margin: 10px 0 4px; }
.clnb-card.clnb-card h4 { font-size: 1.05em; margin: 14px 0 4px; }
.clnb-card.clnb-card p { margin: 4px 0; }
.clnb-card.clnb-card ul { margin: 4px 0; padding-left: 20px; }
.clnb-card.clnb-card .clnb-scroll { overflow: auto; max-height: 420px; max-width: 100%; }
.clnb-card.clnb-card table { border-collapse: collapse; margin: 4px 0; font-size: inherit; color: inherit; border: 0;
  font-variant-numeric: tabular-nums; }
.clnb-card.clnb-card tbody tr:nth-child(n) { background: none; }
.clnb-card.clnb-card th, .clnb-card.clnb-card td { border: 0; border-bottom: 1px solid var(--jp-border-color2, #8884);
  background: none; padding: 3px 12px 3px 0; text-align: left; vertical-align: top; font-weight: normal; }
.clnb-card.clnb-card th { color: var(--jp-ui-font-color2, inherit); font-weight: 600; }
.clnb-card.clnb-card .clnb-number { text-align: right; white-space: nowrap; }
.clnb-card.clnb-card pre { background: #8882; border-radius: 4px; padding: 8px 10px; margin: 4px 0; overflow: auto;
  font: 12px/1.45 var(--jp-code-font-family, monospace); color: inherit; white-space: pre; }
.clnb-card.clnb-card .clnb-swatch { display: inline-block; width: 9px; height: 9px; border-radius: 2px;
  margin-right: 7px; }
"""


@dataclass(frozen=True)
class Heading:
    """``level`` 1 is the document's own."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Text:
    """A paragraph; line ends in it become spaces."""

    text: str


@dataclass(frozen=True)
class Items:
    """A list of sentences."""

    texts: tuple[str, ...]


@dataclass(frozen=True)
class Colour:
    """A cell that shows a colour, ``#rrggbb``."""

    value: str


Cell: TypeAlias = str | Colour


@dataclass(frozen=True)
class Table:
    """``numbers`` are the columns that are set flush right."""

    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    numbers: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Code:
    """A program in Python."""

    text: str


Block: TypeAlias = Heading | Text | Items | Table | Code


def to_markdown(blocks: Iterable[Block]) -> str:
    """The document as GitHub's Markdown."""
    return "\n\n".join(_markdown(block) for block in blocks) + "\n"


def to_html(blocks: Iterable[Block]) -> str:
    """The document for a notebook's output: static, right on light and dark ground."""
    # Jupyter's MathJax 3 and others' MathJax 2 would typeset what stands between dollars
    body = "".join(map(_html, blocks))
    return f'<div class="clnb-card mathjax_ignore tex2jax_ignore"><style>{_STYLE}</style>{body}</div>'


def markdown_text(text: str) -> str:
    """``text`` on one line as Markdown that shows just that, at the beginning of a line, too."""
    plain = _MARKUP.sub(r"\\\1", one_line(text).strip())
    plain = "".join(_ENTITIES.get(character, character) for character in plain)
    plain = _WEB.sub(lambda found: "\\" + found[0], plain)
    begins = _NUMBERED.match(plain)
    if begins:
        return f"{plain[: begins.end() - 1]}\\{plain[begins.end() - 1 :]}"
    return f"\\{plain}" if plain[:1] in tuple("#+=-") else plain


def _markdown(block: Block) -> str:
    if isinstance(block, Heading):
        return f"{'#' * block.level} {markdown_text(block.text)}"
    if isinstance(block, Text):
        return markdown_text(block.text)
    if isinstance(block, Items):
        return "\n".join(f"- {markdown_text(text)}" for text in block.texts)
    if isinstance(block, Code):
        fence = "`" * max(3, *(1 + len(run) for run in re.findall("`+", block.text)), 0)
        return f"{fence}python\n{printable(block.text)}\n{fence}"
    rule = ["--:" if column in block.numbers else ":--" for column in range(len(block.head))]
    rows = [[*map(markdown_text, block.head)], rule, *([_markdown_cell(cell) for cell in row] for row in block.rows)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _markdown_cell(cell: Cell) -> str:
    return f"`{cell.value}`" if isinstance(cell, Colour) else markdown_text(cell)


def _html(block: Block) -> str:
    if isinstance(block, Heading):
        tag = "h3" if block.level == 1 else "h4"
        return f"<{tag}><bdi>{escaped(block.text)}</bdi></{tag}>"
    if isinstance(block, Text):
        return f"<p><bdi>{escaped(block.text)}</bdi></p>"
    if isinstance(block, Items):
        return f"<ul>{''.join(f'<li><bdi>{escaped(text)}</bdi></li>' for text in block.texts)}</ul>"
    if isinstance(block, Code):
        return f"<pre>{_escaped_lines(block.text)}</pre>"
    heads = "".join(
        f'<th scope="col"{_number(column, block)}>{escaped(head)}</th>' for column, head in enumerate(block.head)
    )
    rows = "".join(f"<tr>{_html_row(row, block)}</tr>" for row in block.rows)
    return f'<div class="clnb-scroll"><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'


def _escaped_lines(text: str) -> str:
    return "\n".join(map(escaped, text.split("\n")))


def _html_row(row: Sequence[Cell], table: Table) -> str:
    return "".join(f"<td{_number(column, table)}>{_html_cell(cell)}</td>" for column, cell in enumerate(row))


def _html_cell(cell: Cell) -> str:
    if isinstance(cell, Colour):
        value = escaped(cell.value)
        return f'<span class="clnb-swatch" style="background:{value}"></span>{value}'
    return f"<bdi>{escaped(cell)}</bdi>"


def _number(column: int, table: Table) -> str:
    return ' class="clnb-number"' if column in table.numbers else ""
