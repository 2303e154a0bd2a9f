"""Helpers for datasets in XML files: parsing within limits, and writing names that are untrusted text."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat
from xml.sax.saxutils import escape

from customlabels_nb.datasets.formats.entries import UnreadableError
from customlabels_nb.datasets.formats.json_file import shown, why_not_utf_8
from customlabels_nb.errors import InputError

_HEAD_BYTES = 4096
_BLOCK = 2**20  # expat before 2.6 reads an attribute again from its start with each block, of which pyexpat's have 2 kB
_LONGEST = 2**24  # bytes of a tag with its attributes
_OTHER_ENCODING = re.compile(rb"\s*<\?xml[^>]*encoding=.(?!utf-?8)([\w.-]+)", re.IGNORECASE)
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def begins_with(path: Path, tag: str) -> bool:
    """Check whether an XML file contains the start of an element ``tag`` in its first bytes."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES).replace(b"\0", b"")  # UTF-16
    head = head.lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    return head.startswith(b"<") and re.search(rb"<%s[\s>]" % tag.encode(), head) is not None


def parse_xml(
    file: Path, tag: str, largest: int, on_child: Callable[[Element, list[int]], None] | None = None
) -> Element:
    """Parse an XML file, rejecting entities because they can grow without bounds or refer to other files.

    ``largest`` is in bytes. ``on_child`` takes each child of the outermost element, which is emptied afterwards so that
    a long file needs little memory, and the line numbers of the child and the elements in it. Raises UnreadableError.
    """
    builder, parser = TreeBuilder(), expat.ParserCreate()
    depth, lines = 0, list[int]()

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        if not depth and name != tag:
            raise UnreadableError(f"The file contains <{name[:50]}>, not <{tag}>.")
        if depth and on_child:
            lines.append(parser.CurrentLineNumber)
        depth += 1
        builder.start(name, attributes)

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        element = builder.end(name)
        if depth == 1 and on_child:
            on_child(element, lines)
            element.clear()
            lines.clear()

    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = builder.data
    parser.EntityDeclHandler = _refuse_entity
    try:
        if not file.is_file():
            raise UnreadableError("The path is not a file.")
        if file.stat().st_size > largest:
            raise UnreadableError(f"The file has more than {largest:,} bytes.")
        with file.open("rb") as opened:
            while block := opened.read(_BLOCK):
                parser.Parse(block, False)
                if opened.tell() - parser.CurrentByteIndex > _LONGEST + _BLOCK:
                    raise UnreadableError(f"An element has attributes of more than {_LONGEST:,} bytes.")
            parser.Parse(b"", True)
        return builder.close()
    except (expat.ExpatError, OSError, ValueError, LookupError, AssertionError) as error:
        why = _why_not_utf_8(file) or f"{error}"
        raise UnreadableError(f"The file cannot be read as XML ({why}).") from error


def _why_not_utf_8(file: Path) -> str | None:
    """Return the reason if a file is unreadable because it is neither UTF-8 nor in the encoding that it declares."""
    try:
        with file.open("rb") as opened:
            data = opened.read(_LONGEST)
    except OSError:
        return None
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return None
    if declared := _OTHER_ENCODING.match(data):
        return f"it is not valid {declared[1].decode()}, or that encoding is not supported. Save the file as UTF-8"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data)
    except UnicodeDecodeError as error:
        return why_not_utf_8(data, error)
    return None


def _refuse_entity(name: str, *_others: object) -> None:
    raise UnreadableError(f"The file declares the entity {shown(name)}, but entities are not supported.")


def check_xml_labels(labels: Iterable[str]) -> None:
    """Raise InputError if a label contains characters that XML cannot store."""
    for label in labels:
        if _NOT_XML.search(label):
            raise InputError(f"The label {label!r} contains control characters, which XML cannot store. Rename it.")


def escaped(text: str) -> str:
    """Escape the text of an element, and carriage returns, which parsers convert to line feeds."""
    return escape(text, {"\r": "&#13;"})
