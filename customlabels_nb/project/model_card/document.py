"""A short document as a list of blocks, written as Markdown or as HTML.

Texts in it are plain: names of labels and models are anybody's, and whatever in them would be markup is escaped here,
in one place for each of the two.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from customlabels_nb._utils.rendering import render
from customlabels_nb._utils.text import one_line, printable

_MARKUP = re.compile(r"([\\`*_\[\]~])")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", "$": "&#36;"}  # $ would begin a formula
_WEB = re.compile(r"(?<=:)//|(?<=www)\.", re.IGNORECASE)  # what GitHub makes links of
_BEGINNING = re.compile(r"([#+=-]|(?<=\d)[.)](?=\s|$))")
_NUMBERED = re.compile(r"\d{1,9}[.)](?=\s|$)")


@dataclass(frozen=True)
class Heading:
    """``level`` 1 is the document's own."""

    kind: ClassVar[str] = "heading"
    text: str
    level: int = 2


@dataclass(frozen=True)
class Text:
    """A paragraph; line ends in it become spaces."""

    kind: ClassVar[str] = "text"
    text: str


@dataclass(frozen=True)
class Items:
    """A list of sentences."""

    kind: ClassVar[str] = "items"
    texts: tuple[str, ...]


@dataclass(frozen=True)
class Colour:
    """A cell that shows a colour, ``#rrggbb``."""

    value: str


Cell: TypeAlias = str | Colour


@dataclass(frozen=True)
class Table:
    """``numbers`` are the columns that are set flush right."""

    kind: ClassVar[str] = "table"
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    numbers: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Code:
    """A program in Python."""

    kind: ClassVar[str] = "code"
    text: str


Block: TypeAlias = Heading | Text | Items | Table | Code


def to_markdown(blocks: Iterable[Block]) -> str:
    """The document as GitHub's Markdown."""
    return "\n\n".join(_markdown(block) for block in blocks) + "\n"


def to_html(blocks: Iterable[Block]) -> str:
    """The document for a notebook's output: static, right on light and dark ground."""
    return render("model_card.html", blocks=list(blocks))


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
