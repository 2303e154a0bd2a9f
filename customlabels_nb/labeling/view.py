"""Filter, search and sort order of the images on a labelling screen."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias, get_args

import numpy as np
from pandas.util import hash_array

from customlabels_nb._utils.arguments import check_fraction, check_random_state
from customlabels_nb.errors import InputError
from customlabels_nb.labeling.image_table import ImageTable, Prediction

if TYPE_CHECKING:
    import numpy.typing as npt

#: Values of ``Query.show``: "all", "errors" and the statuses of images.
SHOWN = ("all", "unlabelled", "labelled", "skipped", "needs_review", "errors")
Sort: TypeAlias = Literal["random", "name", "added", "uncertainty", "similarity"]
SORTS = (*get_args(Sort), "text")
#: Values of ``Query.queue``, beside None. "suspect" is one of reviews.
Queue: TypeAlias = Literal["assist", "manual", "clustered", "prelabelled"]
QUEUES = get_args(Queue)
#: Pages of thumbnails, or one image at a time.
Mode: TypeAlias = Literal["grid", "single"]
MODES = get_args(Mode)
PAGE_SIZES = (4, 6, 9, 24, 48, 100)

_DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True)
class Query:
    """Filter and sort order of images. Filters are combined with "and".

    ``search`` is part of the file name, or of the complete path if it contains a ``/``. "uncertainty" starts with the
    least confident prediction. An image's rank in the random order depends on the seed and on its content, or on its
    name if the content is unknown. "similarity" has ``like`` first, then the images most similar to it, and "text"
    those that the ``text`` describes best. With a ``confidence`` of 0, images without a prediction are included. A
    ``queue`` has only unlabelled images, in the order that assist recommends. "clustered" shows one page of similar
    images at a time, with the image ``like``, if it is set.
    """

    show: str = "all"
    label: str | None = None
    predicted: str | None = None
    annotator: str | None = None
    search: str = ""
    images: frozenset[str] | None = None
    sort: str = "random"
    random_state: int = 0
    like: str | None = None
    text: str = ""
    confidence: float = 0.0
    queue: str | None = None

    #: True if the rows are crops of boxes instead of images.
    crops: ClassVar[bool] = False
    shown: ClassVar[tuple[str, ...]] = SHOWN
    sorts: ClassVar[tuple[str, ...]] = SORTS
    queues: ClassVar[tuple[str, ...]] = QUEUES

    def __post_init__(self) -> None:
        for field, allowed in (("show", self.shown), ("sort", self.sorts)):
            if getattr(self, field) not in allowed:
                raise InputError(f"{field}={getattr(self, field)!r} must be one of {allowed!r}.")
        if self.queue is not None and self.queue not in self.queues:
            other = {"suspect": " Suspects open in project.review()."} | dict.fromkeys(QUEUES, " Use project.label().")
            raise InputError(f"queue={self.queue!r} must be one of {self.queues!r}.{other.get(str(self.queue), '')}")
        object.__setattr__(self, "random_state", check_random_state(self.random_state))
        object.__setattr__(self, "confidence", check_fraction("confidence", self.confidence))
        for field in ("label", "predicted", "annotator", "like"):
            if not isinstance(getattr(self, field), str | None):
                raise InputError(f"{field}={getattr(self, field)!r} must be a string or None.")
        for field in ("search", "text"):
            if not isinstance(getattr(self, field), str):
                raise InputError(f"{field}={getattr(self, field)!r} must be a string.")
        if self.sort == "text" and not self.text.strip():
            raise InputError(f"sort='text' needs a description of what the images show, but text={self.text!r}.")


@dataclass(frozen=True)
class View:
    """Fixed order of images. It stays the same while labels change, so that no image moves while somebody works.

    ``waiting`` is the progress (done, total) while the requested order is being computed. Until then, images keep the
    order of the previous view, followed by images that were not in it.
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
    """Return the positions of the images selected by ``query``. Orders by similarity or text need ``by_similarity``."""
    names, statuses, labels, drawn = table.names, table.statuses, table.labels, table.box_labels
    images, show, label, wanted = query.images or (), query.show, query.label, query.search.strip().casefold()
    shown_name = str if "/" in wanted else table.shown_name
    filters: tuple[tuple[object, Callable[[int], bool]], ...] = (  # whether each is set, and what it keeps
        (query.images is not None, lambda i: names[i] in images),
        (show == "errors", lambda i: names[i] in with_errors),
        (show not in ("all", "errors"), lambda i: statuses[i] == show),
        (label is not None, lambda i: label in labels[i] or label in drawn[i]),
        (query.predicted is not None or query.confidence, lambda i: _is_predicted(predictions.get(names[i]), query)),
        (query.annotator is not None, lambda i: query.annotator in table.annotators[i]),
        (wanted, lambda i: wanted in shown_name(names[i]).casefold()),
    )
    positions = list(table.here())
    for is_set, keeps in filters:
        positions = [i for i in positions if keeps(i)] if is_set else positions
    return np.asarray(_sorted(table, positions, query, predictions, by_similarity), dtype=np.int64)


def _is_predicted(prediction: Prediction | None, query: Query) -> bool:
    if prediction is None or query.predicted not in (None, prediction.label):
        return False
    return prediction.confidence >= query.confidence


def _sorted(
    table: ImageTable,
    positions: list[int],
    query: Query,
    predictions: Mapping[str, Prediction],
    by_similarity: Callable[[Sequence[int]], Sequence[int]] | None,
) -> Sequence[int]:
    if query.sort == "random":
        # the rank depends only on the seed and the content: filters, new images and moves do not reshuffle others
        keys = np.array([table.hashes[i] or table.names[i] for i in positions], dtype=object)
        rank = hash_array(keys, hash_key=f"{query.random_state:016x}", categorize=False)
        return [positions[i] for i in np.argsort(rank, kind="stable").tolist()]
    if query.sort == "name":
        return sorted(positions, key=lambda i: natural_key(table.names[i]))
    if query.sort == "uncertainty":
        unknown = Prediction("", 2.0)
        return sorted(positions, key=lambda i: predictions.get(table.names[i], unknown).confidence)
    if query.sort in ("similarity", "text") and by_similarity is not None:
        return by_similarity(positions)
    return positions


def natural_key(name: str) -> list[Any]:
    """Return a key for natural sorting (``2.jpg`` before ``10.jpg``), alternately text and numbers."""
    parts: list[Any] = _DIGITS.split(name.casefold())
    parts[1::2] = map(int, parts[1::2])
    return parts
