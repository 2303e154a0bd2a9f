"""Find outlines for a labelling screen in threads: choose the engine, encode images ahead of the clicks, and cache."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeAlias

from customlabels_nb.core.polygons import Polygon
from customlabels_nb.errors import InputError, MissingDependencyError, ModelError
from customlabels_nb.images.outlining import (
    Box,
    Click,
    Logits,
    Segmenter,
    check_prompts,
    find_mask_outline,
    find_outline,
    import_opencv,
)
from customlabels_nb.inference.segmenters import AUTO, EncodedImage, choose_segmenter, encode_cached
from customlabels_nb.remote.content_cache import ContentCache
from customlabels_nb.user_settings import settings

if TYPE_CHECKING:
    from PIL import Image

_IMAGES = 4  # whose features stay in memory, 8 MB each with SAM 2
_MASKS = 8  # results that a further click may refine
_UNAVAILABLE = "Outlines are not available here. Draw a polygon instead (P), or tell the manager of the job."
_ADVICE = "SAM 2 finds better outlines. Install customlabels-nb[foundation], then run: customlabels-nb fetch sam2"

#: Name and content hash of an image.
ImageKey: TypeAlias = tuple[str, str | None]
#: Opens an image, whose hash may be known, and returns it with the hash of its content.
Decode: TypeAlias = "Callable[[str, str | None], tuple[Image.Image, str]]"


class Outliner:
    """Outlines of objects in the images of a screen.

    Images are encoded in one thread, and prompts are answered in another one, so that neither delays other requests.
    ``decode(image, known)`` opens an image and returns the hash of its content, too. ``decode_shown(image)`` keeps it
    for the next call. ``for_labelers`` means that nothing is downloaded, and messages contain no commands.
    """

    def __init__(self, decode: Decode, decode_shown: Callable[[str], Image.Image], cache: ContentCache) -> None:
        self.for_labelers = False
        self.report: Callable[[str], None] = lambda _text: None
        self._decode, self._decode_shown, self._cache = decode, decode_shown, cache
        self._encoder = ThreadPoolExecutor(1, thread_name_prefix="customlabels_nb-encode")
        self._finder = ThreadPoolExecutor(1, thread_name_prefix="customlabels_nb-outline")
        self._chosen: tuple[Any, Segmenter | None] | None = None
        self._features: OrderedDict[tuple[Any, ...], Future[EncodedImage]] = OrderedDict()
        self._masks: OrderedDict[tuple[Any, ...], Logits] = OrderedDict()
        self._wanted: ImageKey | None = None
        self._lock = threading.Lock()

    def prepare(self, image: ImageKey, following: ImageKey | None = None) -> Future[dict[str, str]]:
        """Load the engine and encode an image, then ``following``. The result has ``engine`` and ``advice``."""
        with self._lock:
            self._wanted = image
            for key, future in self._features.items():
                if key[-1] not in (image, following):
                    future.cancel()
        return self._finder.submit(self._prepare, image, following)

    def _prepare(self, image: ImageKey, following: ImageKey | None) -> dict[str, str]:
        segmenter = self._engine(again=True)
        if segmenter is None:
            self._decode_shown(image[0])
            lacking = not self.for_labelers and settings.outline_engine == AUTO
            return {"engine": "GrabCut", "advice": _ADVICE if lacking else ""}
        if image != self._wanted:  # another image came into view meanwhile
            return {"engine": segmenter.name, "advice": ""}
        self._encoded(segmenter, image)
        if following is not None:
            self._submit(segmenter, following)
        return {"engine": segmenter.name, "advice": ""}

    def find(
        self, image: ImageKey, *, box: Box | None, clicks: Sequence[Click], view: Box | None
    ) -> Future[dict[str, Any]]:
        """Find the outline as :func:`~customlabels_nb.images.outlining.find_outline` does."""
        return self._finder.submit(self._find, image, box, tuple(clicks), view)

    def _find(self, image: ImageKey, box: Box | None, clicks: tuple[Click, ...], view: Box | None) -> dict[str, Any]:
        segmenter = self._engine()
        if segmenter is None:
            picture = self._decode_shown(image[0])
            check_prompts(picture.size, box, clicks)
            polygon, pixel = find_outline(picture, box=box, clicks=clicks, view=view)
        else:
            polygon, pixel = self._find_with(segmenter, image, box, clicks)
        return {"polygon": polygon, "pixel": pixel}

    def _find_with(
        self, segmenter: Segmenter, image: ImageKey, box: Box | None, clicks: tuple[Click, ...]
    ) -> tuple[Polygon | None, float]:
        encoded, size = self._encoded(segmenter, image)
        check_prompts(size, box, clicks)
        prompts = (segmenter.name, segmenter.version, image, box)
        previous = self._masks.get((*prompts, clicks[:-1])) if clicks else None
        logits, _ = segmenter.mask(encoded, size, box=box, clicks=clicks, previous=previous)
        self._masks[*prompts, clicks] = logits
        while len(self._masks) > _MASKS:
            self._masks.popitem(last=False)
        return find_mask_outline(logits, size, clicks)

    def _engine(self, *, again: bool = False) -> Segmenter | None:
        """Return the chosen engine. GrabCut is chosen ``again``, because weights may have been downloaded meanwhile."""
        chosen = self._chosen
        if chosen is None or chosen[0] != settings.outline_engine or (again and chosen[1] is None):
            try:
                segmenter = choose_segmenter(
                    settings.outline_engine, report=self.report, download=not self.for_labelers
                )
                if segmenter is None:
                    import_opencv()
            except (InputError, MissingDependencyError, ModelError) as error:
                if self.for_labelers:
                    raise ModelError(_UNAVAILABLE) from error
                raise
            finally:
                self.report("")
            chosen = self._chosen = (settings.outline_engine, segmenter)
        return chosen[1]

    def _encoded(self, segmenter: Segmenter, image: ImageKey) -> EncodedImage:
        """Return the features of an image, and wait for them if necessary."""
        while True:
            future = self._submit(segmenter, image)
            if future.done():
                return future.result()
            self.report("Preparing the image …")
            try:
                return future.result()
            except CancelledError:  # another view of the widget shows another image
                continue
            finally:
                self.report("")

    def _submit(self, segmenter: Segmenter, image: ImageKey) -> Future[EncodedImage]:
        key = (segmenter.name, segmenter.version, image)
        with self._lock:
            future = self._features.get(key)
            if future is None or future.cancelled() or (future.done() and future.exception() is not None):
                future = self._features[key] = self._encoder.submit(self._encode, segmenter, image)
            self._features.move_to_end(key)
            while len(self._features) > _IMAGES:
                self._features.popitem(last=False)[1].cancel()
        return future

    def _encode(self, segmenter: Segmenter, image: ImageKey) -> EncodedImage:
        return encode_cached(segmenter, image[1], lambda: self._decode(*image), self._cache)
