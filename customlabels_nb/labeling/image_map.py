"""Map of the images of a labelling session: places, colors, and images that a text describes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from customlabels_nb._utils.arguments import check_random_state
from customlabels_nb._utils.text import counted
from customlabels_nb.core import change_signal
from customlabels_nb.core import tables as t
from customlabels_nb.errors import Cancelled, CustomLabelsError, InputError, NotReadyError
from customlabels_nb.events import Event, Events, Progress
from customlabels_nb.images.missing import missing_files
from customlabels_nb.labeling.session import LabellingSession
from customlabels_nb.labeling.similarity import Background
from customlabels_nb.models.map_layout import LAID_OUT, MapLayout, MapLayouts
from customlabels_nb.workers.helper_process import HelperProcess

if TYPE_CHECKING:
    from customlabels_nb.labeling.similarity import SimilarityOrder

_Key: TypeAlias = tuple[MapLayouts, Any]

_ENTRY = "customlabels_nb.models.map_layout:lay_out_sample"
_GROUPS = 12  # values of a column with a color of their own
_HITS = 20
_GREY = "#808080"
_COLUMNS = ("status", "width", "height")
_SOON = 0.5  # seconds in which stored features are found


class MapSession(LabellingSession):
    """Labelling session of a map. Test images are labelled without the predictions that are stored for them."""

    def _stored_predictions(self, split: str, images: Sequence[str] | None = None) -> pd.DataFrame:
        return super()._stored_predictions(split, [] if split == t.TEST else images)


def lay_out(layouts: MapLayouts, contents: Sequence[str | None], events: Events) -> None:
    """Lay out images in a helper process, and store the result."""
    helper = HelperProcess()
    try:
        helper.run(_ENTRY, {**layouts.arguments, "contents": layouts.sample(contents)}, events)
    finally:
        helper.close()


class ImageMap:
    """Places and colors of the images of a session's open dataset, by their positions in its table.

    Without a stored layout, missing features of the packaged network are computed in a thread. Then it shows the plane
    of the principal components until the layout is computed in a helper process. ``error`` states why the map is
    missing. Thread-safe.
    """

    noun, suffix = "image", ""

    def __init__(
        self,
        session: LabellingSession,
        *,
        model: Callable[[], str],
        images: Callable[[str], pd.DataFrame],
        columns: Callable[[], Sequence[str]],
        similar: SimilarityOrder,
        random_state: int = 0,
    ) -> None:
        self.session, self.random_state = session, check_random_state(random_state)
        self.error = ""
        self.progress: tuple[int, int] | None = None
        self._model, self._images, self._columns, self._similar = model, images, columns, similar
        self._lock = threading.RLock()
        self._number = 0  # of the shown layout
        self._failure = ""
        self._features = Background[None]()
        self._tried: set[MapLayouts] = set()
        self._layouts: dict[tuple[str, str], MapLayouts] = {}
        self._work: tuple[MapLayouts, Events, threading.Thread] | None = None
        # by dataset and its number of images: positions of those whose files were missing at first
        self._missing: dict[tuple[str, int], list[int]] = {}
        self._shown: tuple[_Key | None, list[str | None], MapLayout] | None = None

    # -- places -------------------------------------------------------------------------------------
    def layout(self) -> MapLayout:
        """Return the places of all positions, NaN if removed or without features, laying them out if necessary."""
        with self._lock:
            contents, key = self._contents(), None
            found = MapLayout(np.full((len(contents), 2), np.nan, dtype=np.float32), 0, 0)
            try:
                layouts = self._open_layouts()
                self._prepare(layouts, contents)
                key = layouts, layouts.stamp()
                if self._shown is not None and self._shown[1] == contents and self._is_current(key):
                    return self._shown[2]
                self.error = self._failure
                stored = layouts.read(contents)
                found = stored or layouts.plane(contents)
                if stored is None and layouts not in self._tried:
                    self._start(layouts, contents)
                key = layouts, layouts.stamp()
            except NotReadyError as error:
                self.error = f"The features of the {self.noun}s are computed first: {error.done:,} of {error.total:,}."
            except CustomLabelsError as error:
                self.error = str(error)
            self._shown = key, contents, found
            self._number += 1
            return found

    def _is_current(self, key: _Key) -> bool:
        """Return True if the shown places have not changed, or are being laid out in the background."""
        shown = None if self._shown is None else self._shown[0]
        return shown == key or (self.progress is not None and shown is not None and shown[0] is key[0])

    def lay_out_again(self) -> None:
        """Compute the layout again in the background, with all images. Until then, the old one stays."""
        with self._lock:
            self._start(self._open_layouts(), self._contents())

    def close(self) -> None:
        self._features.cancel()
        if self._work is not None:
            self._work[1].cancel()

    def state(self) -> dict[str, Any]:
        """Return what a page shows beside the places: a stamp that changes with them, and a sentence."""
        session, layout = self.session, self.layout()
        total = len(session.rows_of(session.view))
        words = f"layout of {counted(layout.laid_out, self.noun)}"
        if layout.placed:
            words += f", {layout.placed:,} placed by neighbours"
        return {
            "stamp": f"{session.split} {self._number} {session.last_action()}",
            "words": words if layout.is_final else "principal components",
            "is_final": layout.is_final,
            "progress": self.progress,
            "error": self.error,
            "without": total - layout.laid_out - layout.placed,
            "noun": self.noun,
            "total": total,
            "could_grow": layout.placed > 0 and layout.laid_out < LAID_OUT,
            "colorings": self.colorings(),
        }

    def _contents(self) -> list[str | None]:
        table = self.session.table
        key = self.session.split, len(table.names)
        if key not in self._missing:
            self._missing[key] = np.flatnonzero(missing_files(table.names, self.session.root)).tolist()
        contents = list(table.hashes)
        for position in (*self._missing[key], *table.gone):
            contents[position] = None
        return contents

    def _open_layouts(self) -> MapLayouts:
        key = (self.session.split + self.suffix, self._model())
        if key not in self._layouts:
            self._layouts[key] = MapLayouts(self.session.root, key[1], key[0], self.random_state)
        return self._layouts[key]

    def _prepare(self, layouts: MapLayouts, contents: Sequence[str | None]) -> None:
        """Compute the features that a first layout lacks, and raise NotReadyError until they are stored."""
        if layouts.stamp()[0] is None:
            compute = partial(layouts.add_features, self.session.table.names, contents)
            self._features.get(layouts, len(contents), compute, wait=_SOON)

    def _start(self, layouts: MapLayouts, contents: Sequence[str | None]) -> None:
        if self._work is not None and self._work[2].is_alive():
            if self._work[0] is layouts:
                return
            self._work[1].cancel()
        events = Events()
        run = partial(self._run, layouts, contents, events)
        thread = threading.Thread(target=run, name="customlabels_nb map", daemon=True)
        self._tried.add(layouts)
        self._failure, self.progress = "", (0, 1)
        self._work = layouts, events, thread
        thread.start()

    def _run(self, layouts: MapLayouts, contents: Sequence[str | None], events: Events) -> None:
        def watch(event: Event) -> None:
            if isinstance(event, Progress):
                self.progress = event.done, event.total or 1

        events.subscribe(watch)
        failure = ""
        try:
            lay_out(layouts, contents, events)
            if layouts.read(contents) is None:
                failure = "The layout cannot be stored. Check the free space and permissions of the project's folder."
        except Cancelled:
            pass
        except CustomLabelsError as error:
            failure = f"The map could not be laid out: {error}"
        with self._lock:
            if self._work is not None and self._work[1] is events:
                self._failure, self.progress, self._shown = failure, None, None
        change_signal.notify(self.session.root)

    # -- colors -------------------------------------------------------------------------------------
    def label_codes(self) -> npt.NDArray[np.int16]:
        """Return the number of each image's first label, -1 for an unlabelled image, and -2 for one without a label."""
        table = self.session.table
        numbers = {label: number for number, label in enumerate(self.session.labels()["label"])}
        codes = (
            numbers.get((labels or shapes or ("",))[0], -1 if status == "unlabelled" else -2)
            for labels, shapes, status in zip(table.labels, table.box_labels, table.statuses, strict=True)
        )
        return np.fromiter(codes, dtype=np.int16, count=len(table.names))

    def colorings(self) -> list[str]:
        """Return what the images can be colored by. Test images are labelled without predictions."""
        session, split = self.session, self.session.split
        found = ["label"]
        if split == t.TRAIN and session.queues.results is not None:
            found.append("suspect")
        if split == t.TRAIN and session.predictions:
            found.append("prediction")
        return [*found, *(name for name in (*_COLUMNS, *self._columns()) if name not in found)]

    def still_colors(self) -> Iterable[str]:
        """Return the color of each image in a static image, empty for an unlabelled one."""
        colors = [*self.session.labels()["color"], _GREY, ""]  # -2 and -1 count from the end
        return (colors[code] for code in self.label_codes().tolist())

    def suspects(self) -> set[str]:
        """Return the training images with probably wrong labels."""
        queues = self.session.queues
        if self.session.split != t.TRAIN or queues.results is None:
            return set()
        return set(queues.assist.suspects()["image"])

    def values(self, by: str) -> tuple[dict[str, Any], npt.NDArray[np.float32]]:
        """Return the legend of a coloring, and the value of each image, NaN without one.

        It is a scale (``low``, ``high``), or has ``groups`` (name, number and perhaps color), numbered by the values.
        """
        if by not in self.colorings():
            raise InputError(f"by={by!r} is not one of {self.colorings()!r}.")
        if by == "label":
            codes = self.label_codes().astype(np.float32)
            return {"groups": []}, np.where(codes < 0, np.float32(np.nan), codes)
        column = self._column(by)
        if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
            numbers = column.astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)
            numbers = np.where(np.isfinite(numbers), numbers, np.nan)
            some = numbers[~np.isnan(numbers)]
            low, high = (float(some.min()), float(some.max())) if len(some) else (0.0, 0.0)
            span = (numbers - low) / (high - low) if high > low else numbers - low
            return {"low": low, "high": high}, span.astype(np.float32)
        texts = column.map(lambda value: None if _is_missing(value) else str(value))
        groups, codes = self._groups(by, texts)
        return {"groups": groups}, codes.to_numpy(dtype=np.float32, na_value=np.nan)

    def _column(self, by: str) -> pd.Series:
        session, names = self.session, self.session.table.names
        if by == "suspect":
            suspected = self.suspects()
            return pd.Series(["suspect" if name in suspected else None for name in names], dtype=object)
        if by == "prediction":
            predicted = (session.shown_prediction(name) for name in names)
            return pd.Series([None if each is None else each.label for each in predicted], dtype=object)
        images = self._images(session.split)
        return images.set_index("image").reindex(index=names, columns=[by])[by].reset_index(drop=True)

    def _groups(self, by: str, texts: pd.Series) -> tuple[list[list[Any]], pd.Series]:
        """Return the groups of a legend, the largest first, and the number of each image's group."""
        counts = texts.value_counts()
        numbers_of = {name: min(number, _GROUPS) for number, name in enumerate(counts.index)}
        groups = [[name, int(count)] for name, count in counts.iloc[:_GROUPS].items()]
        if len(counts) > _GROUPS:
            groups.append([f"{len(counts) - _GROUPS:,} others", int(counts.iloc[_GROUPS:].sum())])
        return groups, texts.map(numbers_of)

    # -- search -------------------------------------------------------------------------------------
    def hits(self, text: str) -> list[int]:
        """Return the positions of the images that a text describes best. NotReadyError while it is being read."""
        contents = self._contents()
        here = [position for position, content in enumerate(contents) if content is not None]
        keys = [str(contents[position]) for position in here]
        order = self._similar(keys, keys, text=text)
        return [here[position] for position in order[: max(0, min(_HITS, len(here) - self._similar.missing))]]


def _is_missing(value: Any) -> bool:
    return value is None or (pd.api.types.is_scalar(value) and bool(pd.isna(value)))
