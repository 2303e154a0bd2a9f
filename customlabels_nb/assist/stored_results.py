"""Store what the latest background training found for the training images, outside the database.

Everything here can be computed again from the labels, so it is stored in the project's cache folder. The images are
named, and every reader leaves out those that were answered, removed or moved since.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from customlabels_nb._utils.files import write_whole
from customlabels_nb.core import tables as t
from customlabels_nb.datasets.reviewed import CORRECTED, PRELABELLED, REJECTED, has_tag, is_reviewed

if TYPE_CHECKING:
    from customlabels_nb.store import SqlStore

QUEUES = ("assist", "manual", "clustered", "prelabelled", "suspect")
QUEUE_COLUMNS = ("image", "kind", "cluster", "label", "confidence")
_FILE = Path("cache") / "assist" / "results.npz"
_TABLES = ("queue", "pages", "prelabels", "suspects")


@dataclass(frozen=True, eq=False)
class AssistResults:
    """Results of run number ``run`` (0 before the first). Positions in the tables refer to ``images``.

    ``queue`` is from :func:`.queue.order_queue`, ``pages`` from :func:`.clusters.cluster_pages` and ``suspects`` from
    :mod:`.suspects`. ``prelabels`` has the predictions that can be trusted, by label, the surest first.
    """

    run: int
    images: NDArray[np.str_]
    queue: pd.DataFrame
    pages: pd.DataFrame
    prelabels: pd.DataFrame
    suspects: pd.DataFrame

    def names(self, queue: str, waiting: Collection[str]) -> list[str]:
        """Return the images of a queue in its order, of those that are ``waiting`` for a label.

        "assist" is the recommended order of all images, "manual" the one without the images in "prelabelled", and
        "clustered" that of the cluster pages. For "suspect", ``waiting`` are the images that have not been reviewed.
        """
        if queue in ("prelabelled", "suspect"):
            table = self.prelabels if queue == "prelabelled" else self.suspects
            return [name for name in table["image"].drop_duplicates().tolist() if name in waiting]
        order = self.pages if queue == "clustered" else self.queue
        names = self.images[order["position"].to_numpy()].tolist()
        trusted = set(self.prelabels["image"]) if queue == "manual" else ()
        return [name for name in names if name in waiting and name not in trusted]

    def of_labels(self, labels: Collection[str]) -> AssistResults:
        """Leave out the predictions of other labels, which no longer exist."""
        is_known = self.suspects["suggested"].isin(labels) | self.suspects["suggested"].isna()
        prelabels = self.prelabels[self.prelabels["label"].isin(labels)]
        return replace(self, prelabels=prelabels, suspects=self.suspects[is_known])

    def suspects_left(self, store: SqlStore, names: list[str] | None = None) -> pd.DataFrame:
        """Return the suspects that are left. With the names of all suspected images, ``annotation`` is not valid."""
        from customlabels_nb.assist.suspects import still_there

        images, annotations, _ = store.tables(t.TRAIN, names)
        open_images = images.loc[images["status"].isin(["labelled", "needs_review"]) & ~is_reviewed(images), "image"]
        return still_there(self.suspects[self.suspects["image"].isin(open_images)], annotations)

    def queue_table(self, waiting: Collection[str]) -> pd.DataFrame:
        """Return the images to label of those that are ``waiting``, in order, with the columns of ``Assist.queue``."""
        first = self.prelabels.drop_duplicates("image")[["image", "label", "confidence"]]
        table = self.queue.merge(self.pages[["position", "cluster"]], on="position", how="left")
        table.insert(0, "image", self.images[table["position"].to_numpy()])
        table = table[table["image"].isin(waiting)].merge(first, on="image", how="left")
        return table.astype({"cluster": "Int64"})[list(QUEUE_COLUMNS)]

    def count(self, store: SqlStore, *, test: bool) -> dict[str, Any]:
        """Count the images of the queues and those left, and the prelabels that people accepted and corrected."""
        images = store.images()
        accepted, corrected, rejected = (has_tag(images, tag) for tag in (PRELABELLED, CORRECTED, REJECTED))
        waiting = waiting_images(images, test=test)
        unrejected = waiting.difference(images.loc[rejected, "image"])
        queues = {
            "manual": len(self.names("manual", waiting)),
            "clustered": len(self.names("clustered", waiting)),
            "prelabelled": len(self.names("prelabelled", unrejected)),
            "suspect": self.suspects_left(store, self.suspects["image"].unique().tolist())["image"].nunique(),
        }
        unlabelled = (images["status"] == "unlabelled") & (images["split"] == t.TRAIN)
        changed = int((corrected | rejected).sum())
        return {"accepted": int(accepted.sum()), "corrected": changed, "queues": queues, "left": int(unlabelled.sum())}

    @property
    def check_images(self) -> list[str]:
        """The next check images, which are shown without predictions."""
        positions = self.queue.loc[self.queue["kind"] == "check", "position"].to_numpy()
        return [str(name) for name in self.images[positions]]

    def cluster_pages(self, waiting: Collection[str], taken_out: Collection[str] = ()) -> pd.DataFrame:
        """Return the pages of ``waiting`` images. Those in ``taken_out`` come back alone, after all pages."""
        pages = self.pages.assign(image=self.images[self.pages["position"].to_numpy()])
        remaining = pages[pages["image"].isin(list(waiting))]
        is_out = remaining["image"].isin(list(taken_out))
        numbers = np.arange(is_out.sum()) + (0 if pages.empty else int(pages["page"].max()) + 1)
        return pd.concat([remaining[~is_out], remaining[is_out].assign(page=numbers)], ignore_index=True)

    def write(self, root: Path) -> None:
        """Store the results in the cache of the project at ``root``, in place of earlier ones."""
        tables = {name: _packed(getattr(self, name)) for name in _TABLES}
        data = BytesIO()
        np.savez_compressed(data, images=self.images.astype(str), run=self.run, tables=json.dumps(tables))
        (root / "cache").mkdir(exist_ok=True)  # not the root: the project may have been renamed or deleted
        (root / _FILE).parent.mkdir(exist_ok=True)
        write_whole(root / _FILE, data.getvalue())


class LatestResults:
    """Results of the latest training of a project, which are read again when others are stored."""

    def __init__(self) -> None:
        self._stored: tuple[Any, AssistResults | None] | None = None
        self._known: tuple[Any, AssistResults | None] = (None, None)

    def read(self, root: Path, store: SqlStore) -> AssistResults | None:
        """Return the results without labels that no longer exist, the same object until something was changed."""
        file, action = stamp(root), store.last_action()
        if self._stored is None or self._stored[0] != file:
            self._stored = file, read_results(root)
        results = self._stored[1]
        if results is not None and (file, action) != self._known[0]:
            self._known = (file, action), results.of_labels(store.labels()["label"])
        return None if results is None else self._known[1]


def waiting_images(images: pd.DataFrame, *, test: bool) -> set[str]:
    """Return the images without a label that may be shown predictions, with ``test`` also test images."""
    allowed = (images["status"] == "unlabelled") & ((images["split"] == t.TRAIN) | test)
    return set(images.loc[allowed, "image"])


def stamp(root: Path) -> tuple[int, int] | None:
    """Return values that change when other results are stored, or None if there are none."""
    with contextlib.suppress(OSError):
        status = (root / _FILE).stat()
        return status.st_mtime_ns, status.st_ino
    return None


def read_results(root: Path) -> AssistResults | None:
    """Read the stored results of the project at ``root``, or None if there are none or they are damaged."""
    try:
        with (root / _FILE).open("rb") as data, np.load(data, allow_pickle=False) as file:
            tables = {name: _unpacked(table) for name, table in json.loads(str(file["tables"])).items()}
            return AssistResults(int(file["run"]), file["images"], **tables)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, BadZipFile):
        return None


def forget_results(root: Path) -> None:
    """Delete the stored results, which name images that have other names now. The next training computes them."""
    (root / _FILE).unlink(missing_ok=True)


def _packed(table: pd.DataFrame) -> dict[str, Any]:
    """Convert a table to lists by column, with the dtypes, because labels such as "1" would become numbers."""
    values = {name: column.astype(object).where(column.notna(), None).tolist() for name, column in table.items()}
    return {str(name): [str(table[name].dtype), values[name]] for name in table.columns}


def _unpacked(columns: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(values, dtype=dtype) for name, (dtype, values) in columns.items()})
