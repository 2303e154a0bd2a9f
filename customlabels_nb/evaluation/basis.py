"""What a version of a project was evaluated on, and how the test set has changed since."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from customlabels_nb._utils.text import counted


@dataclass(frozen=True)
class Basis:
    """What a version of a project was evaluated on, from which the evaluation is repeated, or compared with today's.

    ``root`` is the project's folder, and ``thresholds`` the argument of ``Model.evaluate``. ``state`` is that of the
    test set and of the version's decision, None for the test set of its training. ``labels`` has the ids of the labels,
    by their names then, and ``images`` all test images that could be evaluated then.
    """

    root: Path
    version: str
    thresholds: float | Mapping[str, float] | str | None
    state: str | None
    labels: Mapping[str, int]
    images: frozenset[str]


@dataclass(frozen=True)
class TestSetChanges:
    """Changes to a test set since an evaluation."""

    __test__ = False  # not a pytest class

    corrected: tuple[str, ...] = ()
    replaced: int = 0
    added: int = 0
    removed: int = 0

    @property
    def count(self) -> int:
        return len(self.corrected) + self.replaced + self.added + self.removed

    def __str__(self) -> str:
        parts = [f"{counted(len(self.corrected), 'test label was', 'test labels were')} changed"] * bool(self.corrected)
        for number, what in ((self.replaced, "replaced"), (self.added, "added"), (self.removed, "removed")):
            parts += [f"{counted(number, 'test image was', 'test images were')} {what}"] * bool(number)
        return f"{' and '.join(filter(None, [', '.join(parts[:-1]), *parts[-1:]]))} since" if parts else ""
