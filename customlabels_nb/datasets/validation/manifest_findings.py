"""What checking manifests finds: values that the rules fill and the report reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, TypeAlias

from customlabels_nb.datasets.formats.base import Contents
from customlabels_nb.datasets.formats.manifest_values import LineFinding, State, expand_multi_label, loads

UseCase: TypeAlias = Literal["IMAGE_LEVEL_LABELS", "OBJECT_LOCALIZATION", "NOT_DETERMINED"]


@dataclass(slots=True)
class CheckedLine:
    """A line about which there is something to say.

    Attributes
    ----------
    number : int
        From 1.
    raw : bytes
        The line without its line end.
    source_ref : str, optional
        The image as the line names it; None where it names none.
    state : {"valid", "invalid", "ignored"}
        A valid line may have findings (a bad box among good ones); an ignored one has warnings only.
    findings : list of LineFinding
        In the order in which the rules are checked.
    expanded : bool
        Whether findings speak of a multi-label attribute ``<job>`` as of ``<job>0``, ``<job>1``, …; see ``value``.
    """

    number: int
    raw: bytes
    source_ref: str | None
    state: State
    findings: list[LineFinding] = field(default_factory=list)
    expanded: bool = False

    @property
    def value(self) -> dict[str, Any] | None:
        """The line's JSON object, parsed anew each time (a quarter of a million of them would not fit); or None."""
        try:
            value = loads(self.raw)
        except ValueError:
            return None
        if not isinstance(value, dict):
            return None
        return expand_multi_label(value) if self.expanded else value


@dataclass
class CheckedManifest:
    """One manifest after all checks.

    Attributes
    ----------
    source : str
        The path, or the name given for lines in memory.
    use_case : {"IMAGE_LEVEL_LABELS", "OBJECT_LOCALIZATION", "NOT_DETERMINED"}
    total, valid, invalid, ignored : int
        Lines; the last three add up to the first.
    lines : list of CheckedLine
        Those with findings, by number.
    errors : list of LineFinding
        What concerns the manifest as a whole: the file, and its contents.
    terminal : bool
        Whether one of the errors ends everything, as those of the file do: then the service writes no validation files,
        and at training time shows only the error's message, not its code.
    labels, usable_labels : dict of str to int
        Label → number of images that have it in a valid line; the usable ones are those of the use case.
    buckets : set of str
        The S3 buckets that images lie in.
        A line counts here even if it is invalid, as long as its ``source-ref`` is one.
    open_lines : callable
        Gives the lines' bytes, without line ends, anew.
    read_contents : callable, optional
        Gives the contents.
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
        """The tables of everything that could be read; None where nothing could."""
        return None if self.read_contents is None else self.read_contents()

    def raw_lines(self) -> Iterator[tuple[int, bytes]]:
        """Number (from 1) and bytes (without line end) of every line, read anew; nothing if there is no file."""
        yield from enumerate(self.open_lines(), 1)


@dataclass
class CheckedManifests:
    """Both manifests; ``errors`` concern them together (label overlap)."""

    train: CheckedManifest
    test: CheckedManifest | None = None
    errors: list[LineFinding] = field(default_factory=list)
