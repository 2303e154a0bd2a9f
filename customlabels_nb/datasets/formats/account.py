"""Account of what a file or folder has: what nobody takes is reported, unless a table says that it means nothing.

A reader describes the records of its format by a :class:`Record`, which states for each key what becomes of its value.
All other keys are reported, so that a reader which forgets something says too much and never too little.
"""

from __future__ import annotations

import math
import reprlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any, Final, TypeAlias
from xml.etree.ElementTree import Element

from customlabels_nb.core.issues import Issue

_EXAMPLES = 3
_MOST_KINDS = 50  # of what is not imported, each with its own issue
_NOTHING: tuple[Any, ...] = (None, "", [], {})
_NOT_SET = ("", "0", "no", "false", "unspecified", "none")  # texts of XML elements that say nothing
_TEXT = "#text"
_NUMBERS: frozenset[type] = frozenset({int, float})


@dataclass(frozen=True)
class Taken:
    """Fate of a value that the reader takes. One that is not ``accepted`` is reported, because it is not a ``kind``.

    Values of ``types`` are all accepted.
    """

    accepted: Callable[[Any], bool] = lambda _: True
    kind: str = ""
    types: frozenset[type] = frozenset()


@dataclass(frozen=True)
class Ignored:
    """Fate of a value without a meaning here, with the reason."""

    reason: str


@dataclass(frozen=True)
class Unless:
    """Fate of a value that is reported unless it is one of ``usual``, which programs write for nothing.

    ``called`` is what it is called in the issue.
    """

    usual: tuple[object, ...] = ()
    called: str = ""


def _is_numeral(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


#: Fates of values. What is wrong with one that is TAKEN is for the reader to say.
TAKEN: Final = Taken()
NUMBER: Final = Taken(lambda value: type(value) in _NUMBERS, "number", _NUMBERS)
TEXT: Final = Taken(lambda value: isinstance(value, str), "text", frozenset({str}))
#: Fate of records that have an account of their own.
ELSEWHERE: Final = Ignored("its records have accounts of their own")
#: Fate of the text of an XML element that has a number.
NUMERAL: Final = Taken(_is_numeral, "number")


@dataclass(frozen=True)
class Record:
    """Keys of the records called ``noun``, such as "an annotation", and what becomes of their values.

    The fate of a key that is not listed is that of ``rule``, or else ``others``. ``key`` is what a key is called in
    issues. Records in a list are counted from 1 with ``place``, such as "result 2", or else by their positions.
    What else is in such a list is reported with ``whole``, and else by the reader.
    For XML, ``@name`` is an attribute and ``#text`` the text of an element.
    """

    noun: str
    keys: Mapping[str, Fate]
    others: Fate = Unless()
    key: str = "value of the key"
    place: str = ""
    rule: Callable[[str], Fate | None] = lambda key: None
    whole: bool = False

    def of(self, outer: Record) -> Record:
        """Return the record with the noun of the ``outer`` one if it has none of its own."""
        return self if self.noun else replace(self, noun=outer.noun)

    def fate_of(self, key: str) -> Fate:
        """Return what becomes of the value of a key."""
        usual = _USUAL if self.others == Unless() else {}
        return self.keys.get(key) or self.rule(key) or usual.get(key, self.others)


Fate: TypeAlias = Taken | Ignored | Unless | Record
#: Fates of keys that many programs write, in records that do not list them.
_USUAL: Mapping[str, Fate] = {
    "attributes": Record("", {}, key="attribute"),
    "keypoints": Unless((0,), "list of keypoints"),
    "occluded": Unless((0,)),
    "rotation": Unless((0,), "rotation of a box"),
}


@dataclass
class Account:
    """Account of one reader: the kinds of what it does not import, each with a count, places and an example."""

    _places: dict[str, list[str]] = field(default_factory=dict)
    _counts: Counter[str] = field(default_factory=Counter)
    _examples: dict[str, str] = field(default_factory=dict)

    def add(self, what: str, where: str, count: int = 1, *, value: object = None) -> None:
        """Count ``what`` is not imported (such as "rotation of a box") of the entry or file ``where``."""
        if what not in self._counts and len(self._counts) >= _MOST_KINDS:
            what = "value of another kind"
        self._counts[what] += count
        places = self._places.setdefault(what, [])
        if len(places) <= _EXAMPLES and where not in places:
            places.append(where)
        if value is not None:
            self._examples.setdefault(what, reprlib.repr(value))

    def issues(self, source: str) -> list[Issue]:
        """Return one issue for each kind, with its count, places and an example of its values."""
        return [
            Issue("NOT_IMPORTED", f"{count:,} × {what} was not imported: {self._shown(what)}", what, source)
            for what, count in self._counts.items()
        ]

    def kinds(self) -> list[str]:
        """Return the kind of each value that is not imported, as often as it was counted."""
        return [*self._counts.elements()]

    def _shown(self, what: str) -> str:
        places = self._places[what]
        more = " …" if len(places) > _EXAMPLES else ""
        example = f" For example {self._examples[what]}." if what in self._examples else ""
        return f"{', '.join(map(repr, places[:_EXAMPLES]))}{more}.{example}"

    def record(self, value: object, record: Record, where: str) -> None:
        """Count what a record of JSON has beside the keys of ``record``, at any depth."""
        self.records([value], record, [where])

    def records(self, values: Sequence[object], record: Record, places: Sequence[str] | _Places) -> None:
        """Count what records of JSON at these ``places`` have beside the keys of ``record``, at any depth."""
        rows = [row for row, value in enumerate(values) if type(value) is dict]
        found: list[Any] = values if len(rows) == len(values) else [values[row] for row in rows]  # type: ignore[assignment]
        for key in _in_order(set().union(*found), record):
            fate = record.fate_of(key)
            if isinstance(fate, Ignored) or fate is TAKEN:
                continue
            given = [(rows[number], value[key]) for number, value in enumerate(found) if key in value]
            if isinstance(fate, Record):
                self._inside(key, given, record, fate, places)
                continue
            for row, value in _lost(given, fate):
                self.add(_called(fate, key, record), places[row], value=value)

    def _inside(
        self, key: str, given: list[tuple[int, Any]], outer: Record, inner: Record, places: Sequence[str] | _Places
    ) -> None:
        """Count what records in records have, and values that are neither a record nor a list of records."""
        one = {row: value for row, value in given if type(value) is dict}
        several = {row: value for row, value in given if type(value) is list}
        inner = inner.of(outer)
        self.records(list(one.values()), inner, _Places(places, list(one), f".{key}"))
        rows = list(chain.from_iterable([row] * len(value) for row, value in several.items()))
        numbers = list(chain.from_iterable(range(len(value)) for value in several.values()))
        whole = list(chain.from_iterable(several.values()))
        self.records(whole, inner, _Places(places, rows, key, numbers, inner.place))
        others = [(row, value) for row, value in given if row not in one and row not in several]
        if inner.whole:
            others += [(row, value) for row, value in zip(rows, whole, strict=True) if type(value) is not dict]
        for row, value in others:
            if value not in _NOTHING:
                self.add(_called(Unless(), key, outer), places[row], value=value)

    def element(self, element: Element, record: Record, where: str) -> None:
        """Count what an element of XML has beside the keys of ``record``, at any depth."""
        for key, value, inner in _parts(element):
            fate = record.fate_of(key)
            if isinstance(fate, Ignored):
                continue
            if isinstance(fate, Record):
                self.element(inner, fate.of(record), where) if inner is not None else None
            elif inner is not None and isinstance(fate, Taken):
                self.element(inner, Record(f"<{key[:50]}>", {_TEXT: fate}), where)
            elif (value.lower() not in _NOT_SET and _is_lost(value, fate)) or (inner is not None and _has_more(inner)):
                self.add(_called(fate, key, record, xml=True), where, value=value or None)


class _Places:
    """Places of records in others, which are put together only where they are shown."""

    def __init__(
        self, outer: Sequence[str] | _Places, rows: list[int], key: str, numbers: list[int] | None = None, one: str = ""
    ) -> None:
        self._outer, self._rows, self._key, self._numbers, self._one = outer, rows, key, numbers, one

    def __getitem__(self, row: int) -> str:
        outer = self._outer[self._rows[row]]
        if self._numbers is None:
            return f"{outer}{self._key}".lstrip(".")
        if self._one:
            return f"{outer}, {self._one} {self._numbers[row] + 1}"
        return f"{outer}.{self._key}[{self._numbers[row]}]".lstrip(".")


def _in_order(keys: Iterable[Any], record: Record) -> list[str]:
    """Return keys with those that have a name of their own first, which may be dropped as the last of many kinds."""
    named = {key for key, fate in record.keys.items() if isinstance(fate, Unless) and fate.called}
    return sorted(keys, key=lambda key: (key not in named, key))


def _called(fate: Taken | Unless, key: str, record: Record, *, xml: bool = False) -> str:
    if isinstance(fate, Unless) and fate.called:
        return fate.called
    if xml:
        name = {"@": f"attribute {key[1:51]!r}", "#": "text"}.get(key[:1], f"<{key[:50]}>")
    else:
        name = f"{record.key} {reprlib.repr(key)}"
    wrong = f" that is not a {fate.kind}" if isinstance(fate, Taken) and fate.kind else ""
    return f"{name} of {record.noun}{wrong}"


def _lost(given: list[tuple[int, Any]], fate: Taken | Unless) -> list[tuple[int, Any]]:
    """Return the rows and values that are lost."""
    if _keeps_all([value for _, value in given], fate):
        return []
    return [(row, value) for row, value in given if _is_lost(value, fate)]


def _keeps_all(values: Sequence[Any], fate: Taken | Unless) -> bool:
    """Check by the types or distinct values alone, which is fast, whether none of many values is lost."""
    if isinstance(fate, Taken) and fate.types.issuperset(map(type, values)):
        return True
    try:
        distinct = set(zip(map(type, values), values, strict=True))
    except TypeError:  # not hashable
        return False
    return not any(_is_lost(value, fate) for _, value in distinct)


def _is_lost(value: object, fate: Taken | Unless) -> bool:
    if value in _NOTHING:
        return False
    return not fate.accepted(value) if isinstance(fate, Taken) else value not in fate.usual


def _has_more(element: Element) -> bool:
    return bool(len(element) or element.attrib)


def _parts(element: Element) -> Iterator[tuple[str, str, Element | None]]:
    """Yield the key and text of each attribute, of the text, and of each child of an element, with the child."""
    for name, value in element.items():
        yield f"@{name}", value, None
    if text := (element.text or "").strip():
        yield _TEXT, text, None
    for child in element:
        yield child.tag, (child.text or "").strip(), child
        if after := (child.tail or "").strip():
            yield _TEXT, after, None
