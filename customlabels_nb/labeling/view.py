"""Which images a labelling screen shows, and in which order."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pandas.util import hash_array

from customlabels_nb.errors import InputError
from customlabels_nb.labeling.image_table import ImageTable, Prediction, short_name

if TYPE_CHECKING:
    import numpy.typing as npt

#: What ``Query.show`` may be, beside "all" and "errors": the statuses of images.
SHOWN = ("all", "unlabelled", "labelled", "skipped", "needs_review", "errors")
SORTS = ("random", "name", "added", "uncertainty", "similarity")
PAGE_SIZES = (4, 6, 9, 24, 48, 100)

_DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True)
class Query:
    """What is shown: each field narrows it down.

    Attributes
    ----------
    show : str
        One of :data:`SHOWN`.
    label, predicted, annotator : str, optional
        Images with this label, for which a model says this label, that this person labelled.
    search : str
        Part of the file's name, or with a ``/`` of its whole path; upper and lower case are the same.
    images : frozenset of str, optional
        Only these.
    sort : str
        One of :data:`SORTS`. "uncertainty" puts first what a model is least sure of.
    seed : int
        Of the random order, in which an image's place depends on the seed and on its content, else on its name.
    """

    show: str = "all"
    label: str | None = None
    predicted: str | None = None
    annotator: str | None = None
    search: str = ""
    images: frozenset[str] | None = None
    sort: str = "random"
    seed: int = 0

    shown: ClassVar[tuple[str, ...]] = SHOWN
    sorts: ClassVar[tuple[str, ...]] = SORTS

    def __post_init__(self) -> None:
        for field, allowed in (("show", self.shown), ("sort", self.sorts)):
            if getattr(self, field) not in allowed:
                raise InputError(f"{field}={getattr(self, field)!r} is not known; use one of {allowed!r}.")
        if not isinstance(self.seed, int) or isinstance(self.seed, bool) or not 0 <= self.seed < 2**32:
            raise InputError(f"seed={self.seed!r} is not a whole number from 0 to 4294967295.")
        for field in ("label", "predicted", "annotator"):
            if not isinstance(getattr(self, field), str | None):
                raise InputError(f"{field}={getattr(self, field)!r} is not text.")
        if not isinstance(self.search, str):
            raise InputError(f"search={self.search!r} is not text.")


@dataclass(frozen=True)
class View:
    """A settled order of images. It stays while labels change, so that nothing moves under the hand.

    Attributes
    ----------
    number : int
        Tells views of one session apart.
    order : ndarray of int
        Positions in the session's table.
    waiting : tuple of int, optional
        While the order that the query asks for is computed: how many images are done, and of how many. Until then,
        images keep the order of the view before, and those that were not in it come last.
    """

    number: int
    split: str
    query: Query
    order: npt.NDArray[np.int64]
    waiting: tuple[int, int] | None = None

    def __len__(self) -> int:
        return len(self.order)


def order_of(
    table: ImageTable,
    query: Query,
    *,
    predictions: Mapping[str, Prediction],
    with_errors: Collection[str],
    by_similarity: Callable[[Sequence[int]], Sequence[int]] | None = None,
) -> npt.NDArray[np.int64]:
    """The positions of the images that ``query`` asks for, in its order.

    Parameters
    ----------
    predictions : mapping
        The surest prediction by image.
    with_errors : collection of str
        The images about which there are findings.
    by_similarity : callable, optional
        Puts positions in an order in which look-alikes are neighbours; needed for that sort only.
    """
    at = list(table.here())
    if query.images is not None:
        at = [i for i in at if table.names[i] in query.images]
    if query.show == "errors":
        at = [i for i in at if table.names[i] in with_errors]
    elif query.show != "all":
        at = [i for i in at if table.statuses[i] == query.show]
    if query.label is not None:
        at = [i for i in at if query.label in table.labels[i] or query.label in table.box_labels[i]]
    if query.predicted is not None:
        at = [i for i in at if (p := predictions.get(table.names[i])) is not None and p.label == query.predicted]
    if query.annotator is not None:
        at = [i for i in at if query.annotator in table.annotators[i]]
    if query.search.strip():
        wanted = query.search.strip().casefold()
        said = str if "/" in wanted else short_name
        at = [i for i in at if wanted in said(table.names[i]).casefold()]
    return np.asarray(_sorted(table, at, query, predictions, by_similarity), dtype=np.int64)


def _sorted(
    table: ImageTable,
    at: list[int],
    query: Query,
    predictions: Mapping[str, Prediction],
    by_similarity: Callable[[Sequence[int]], Sequence[int]] | None,
) -> Sequence[int]:
    if query.sort == "random":
        # the place depends on the seed and the image's content alone: filters, new images and moves shuffle no others
        keys = np.array([table.hashes[i] or table.names[i] for i in at], dtype=object)
        rank = hash_array(keys, hash_key=f"{query.seed:016x}", categorize=False)
        return [at[i] for i in np.argsort(rank, kind="stable").tolist()]
    if query.sort == "name":
        return sorted(at, key=lambda i: _natural(table.names[i]))
    if query.sort == "uncertainty":
        unknown = Prediction("", 2.0)
        return sorted(at, key=lambda i: predictions.get(table.names[i], unknown).confidence)
    if query.sort == "similarity" and by_similarity is not None:
        return by_similarity(at)
    return at


def _natural(name: str) -> list[Any]:
    """So that ``2.jpg`` comes before ``10.jpg``: text and numbers take turns, text first."""
    parts: list[Any] = _DIGITS.split(name.casefold())
    parts[1::2] = map(int, parts[1::2])
    return parts
