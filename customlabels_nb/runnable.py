"""What every trained model can be asked once it runs, whether it is a project's version or a folder from elsewhere."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pandas as pd

from customlabels_nb.dataset import Dataset
from customlabels_nb.events import Events, progress_bars, say

if TYPE_CHECKING:
    from customlabels_nb.inference.detection import Detection
    from customlabels_nb.inference.predictor import Predictor


class Runnable(ABC):
    """A model that can be started, asked and stopped."""

    name: str

    @property
    def _root(self) -> Path | None:
        """Folder under which relative paths of images lie that aren't here."""
        return None

    @abstractmethod
    def start(self, device: str | None = None) -> Self:
        """Load the weights on a device and warm up."""

    @abstractmethod
    def stop(self) -> None:
        """Free the memory that the model takes."""

    @property
    @abstractmethod
    def _predictor(self) -> Predictor | None:
        """What runs it in this process; None while it doesn't run."""

    @contextmanager
    def started(self, device: str | None = None) -> Iterator[Self]:
        """``with model.started(): …`` starts, and stops at the end whatever happens."""
        self.start(device)
        try:
            yield self
        finally:
            self.stop()

    def detect(
        self, image: Any, threshold: float | Mapping[str, float] | None = None, max_results: int | None = None
    ) -> Detection:
        """Find the labels of one image.

        Parameters
        ----------
        image : path, URL, bytes, PIL image, array or tensor
            Arrays are (height, width[, 3 or 4]), tensors (3, height, width); uint8, or float between 0 and 1.
        threshold : float or dict, optional
            Confidence (0..1) from which on a label counts, for all labels or by label; each label's assumed
            threshold if it isn't given. 0 returns everything.
        max_results : int, optional
            At most so many, the most confident ones.

        Returns
        -------
        Detection
            Shows itself as the picture with its labels; ``.table``, ``.response`` (the API's JSON).
        """
        from customlabels_nb.inference.detection import detect

        root = self._root if self._root is not None and _lies_in(self._root, image) else None
        return detect(self._running(), image, threshold=threshold, max_results=max_results, root=root)

    def detect_many(
        self,
        images: Any,
        threshold: float | Mapping[str, float] | None = None,
        max_results: int | None = None,
        *,
        batch_size: int | None = None,
        progress: bool = True,
        events: Events | None = None,
    ) -> pd.DataFrame:
        """Find the labels of many images: paths, a glob, a folder, a dataset or a DataFrame with a column ``image``.

        Returns
        -------
        DataFrame
            image, label, confidence (0..1), left, top, width, height (pixels; null from classifiers).
            ``.attrs["errors"]`` lists the images that could not be read: dicts of image, code, message.
        """
        from customlabels_nb.inference.batch import detect_many

        sources = images.images if isinstance(images, Dataset) else images
        with progress_bars(events or Events(), show=progress) as stream:
            found = detect_many(
                self._running(),
                sources,
                root=images.root if isinstance(images, Dataset) else self._root,
                threshold=threshold,
                max_results=max_results,
                batch_size=batch_size,
                events=stream,
            )
        if found.attrs.get("interrupted"):
            say(f"Stopped: {len(found.attrs['remaining']):,} images are left, see .attrs['remaining'].")
        return found

    def _running(self) -> Predictor:
        if self._predictor is None:
            self.start()
            predictor = self._predictor
            assert predictor is not None
            say(f"{self.name} was not running: started on {predictor.device}. model.stop() frees its memory.")
            return predictor
        return self._predictor


def _lies_in(root: Path, image: Any) -> bool:
    """Whether ``image`` is the relative path of a copy or upload in the project's folder, as its tables name it."""
    if not isinstance(image, str) or "\0" in image or os.path.exists(image):
        return False
    return not os.path.isabs(image) and (root / image).is_file()
