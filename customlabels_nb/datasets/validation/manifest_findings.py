"""Results of checking manifests, filled by the rules and read by the report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, TypeAlias

from customlabels_nb.datasets.formats.base import Contents
from customlabels_nb.datasets.formats.manifest_values import LineFinding, State, expand_multi_label, parsed

UseCase: TypeAlias = Literal["IMAGE_LEVEL_LABELS", "OBJECT_LOCALIZATION", "NOT_DETERMINED"]


@dataclass(slots=True)
class CheckedLine:
    """Line with findings, in the order of the rules.

    A valid line may have findings (a bad box among good ones), an ignored one has only warnings. ``expanded`` is True
    if findings refer to a multi-label attribute ``<job>`` as ``<job>0``, ``<job>1``, …; see ``value``.
    """

    number: int
    raw: bytes
    source_ref: str | None
    state: State
    findings: list[LineFinding] = field(default_factory=list)
    expanded: bool = False

    @property
    def value(self) -> dict[str, Any] | None:
        """JSON object of the line, or None if it has none. It is parsed on each access to save memory."""
        value = parsed(self.raw)
        return expand_multi_label(value) if value and self.expanded else value


@dataclass
class CheckedManifest:
    """Manifest after all checks. ``lines`` has only those with findings, ``errors`` concern the whole manifest.

    ``terminal`` errors end validation. Rekognition then writes no validation files, and during training shows only the
    error's message, not its code. ``usable_labels`` counts the labels for ``use_case``. ``buckets`` has also those of
    invalid lines with a valid ``source-ref``. ``open_lines`` returns all lines on each call.
    """

    source: str
    use_case: UseCase = "NOT_DETERMINED"
    total: int = 0
    valid: int = 0
    invalid: int = 0
    ignored: int = 0
    lines: list[CheckedLine] = field(default_factory=list)
    errors: list[LineFinding] = field(default_factory=list)
    terminal: bool = False
    labels: dict[str, int] = field(default_factory=dict)
    usable_labels: dict[str, int] = field(default_factory=dict)
    buckets: set[str] = field(default_factory=set)
    open_lines: Callable[[], Iterable[bytes]] = field(default=tuple, repr=False)
    read_contents: Callable[[], Contents] | None = field(default=None, repr=False)

    @cached_property
    def contents(self) -> Contents | None:
        return None if self.read_contents is None else self.read_contents()

    def raw_lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield the number (from 1) and bytes (without line break) of every line, reading the file again."""
        yield from enumerate(self.open_lines(), 1)


@dataclass
class CheckedManifests:
    """Training and test manifests. ``errors`` holds errors that concern both, for example too few shared labels."""

    train: CheckedManifest
    test: CheckedManifest | None = None
    errors: list[LineFinding] = field(default_factory=list)
