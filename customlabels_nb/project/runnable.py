"""What every trained model can be asked once it runs, and a model of a folder or zip file without a project."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Self, overload

import pandas as pd

from customlabels_nb._utils.rendering import render
from customlabels_nb._utils.text import one_line
from customlabels_nb.core import tables as t
from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.errors import ArtifactError, Cancelled, InputError
from customlabels_nb.events import Events, progress_bars, say
from customlabels_nb.images.reading import local_path
from customlabels_nb.models.artifact import CONFIG, MOST_CONFIG_BYTES, WEIGHTS, load_config
from customlabels_nb.project.location import DATABASE

if TYPE_CHECKING:
    from customlabels_nb.inference.detection import Detection
    from customlabels_nb.inference.engines.names import EngineChoice
    from customlabels_nb.inference.exporting.export import Exported
    from customlabels_nb.inference.predictor import Predictor
    from customlabels_nb.inference.result_writing import WrittenDetections
    from customlabels_nb.inference.video import VideoDetection
    from customlabels_nb.labeling.quick_test import QuickTestModel, QuickTestSession
    from customlabels_nb.project.report import Report
    from customlabels_nb.widgets.quick_test import QuickTest

_MOST_RATIO = 20  # weights hardly become smaller in a zip file
_CHUNK = 1 << 20


class Runnable(ABC):
    """A model that can be started, asked and stopped."""

    name: str

    @property
    def _root(self) -> Path | None:
        """Folder under which relative paths of images lie that aren't here."""
        return None

    @abstractmethod
    def start(
        self, device: str | None = None, *, engine: str | None = None, idle_stop: str | float | None = None
    ) -> Self:
        """Load the weights on a device (cuda → mps → cpu unless named) and warm up.

        Where it runs already nothing happens; on another device, it moves.

        Parameters
        ----------
        device : str, optional
        engine : str, optional
            What computes: "torch", "bfloat16" (torch in shorter numbers, where the CPU has them; confidences of photos
            move by up to 0.004), "onnx" (onnxruntime; ``pip install customlabels-nb[onnx]``), or "auto" for the fastest
            here of those that say on drawn pictures what torch says. As it is if not given, at first "auto";
            ``model.engine`` tells which it became, and why not the others.
        idle_stop : str or float, optional
            Free the memory once nothing was asked for so long: seconds, or a text like "10min". The next question
            starts the model again. As it is if not given, at first "never".

        Raises
        ------
        ArtifactError
            If the weights are damaged, or aren't those of this model.
        DeviceError
            If the named device isn't available.
        """

    @abstractmethod
    def stop(self) -> None:
        """Free the memory that the model takes."""

    @property
    @abstractmethod
    def folder(self) -> Path:
        """The folder with the weights and everything else of the model."""

    @property
    @abstractmethod
    def _predictor(self) -> Predictor | None:
        """What runs it in this process; None while it doesn't run."""

    @property
    def engine(self) -> EngineChoice | None:
        """What computes the answers, and why the other engines don't; None while the model doesn't run."""
        return None if self._predictor is None else self._predictor.engine

    @contextmanager
    def started(self, device: str | None = None, *, engine: str | None = None) -> Iterator[Self]:
        """``with model.started(): …`` starts, and stops at the end whatever happens.

        ``device`` and ``engine`` are as in :meth:`start`.
        """
        self.start(device, engine=engine)
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

    @overload
    def detect_many(
        self,
        images: Any,
        threshold: float | Mapping[str, float] | None = None,
        max_results: int | None = None,
        *,
        to: None = None,
        resume: bool = False,
        batch_size: int | None = None,
        progress: bool = True,
        events: Events | None = None,
    ) -> pd.DataFrame: ...

    @overload
    def detect_many(
        self,
        images: Any,
        threshold: float | Mapping[str, float] | None = None,
        max_results: int | None = None,
        *,
        to: str | os.PathLike[str],
        resume: bool = False,
        batch_size: int | None = None,
        progress: bool = True,
        events: Events | None = None,
    ) -> WrittenDetections: ...

    def detect_many(
        self,
        images: Any,
        threshold: float | Mapping[str, float] | None = None,
        max_results: int | None = None,
        *,
        to: str | os.PathLike[str] | None = None,
        resume: bool = False,
        batch_size: int | None = None,
        progress: bool = True,
        events: Events | None = None,
    ) -> pd.DataFrame | WrittenDetections:
        """Find the labels of many images, a few batches of them in memory at a time.

        Parameters
        ----------
        images : paths, a glob, a folder, a URL that ends in "/", a dataset or a DataFrame with a column ``image``
        threshold, max_results
            As for :meth:`detect`, for each image.
        to : path, optional
            Where to write the answers while they come, instead of keeping them in memory: a file that ends in
            ``.jsonl`` (a line for each image: ``image`` and the API's ``CustomLabels``; a detector's also has the
            image's ``width`` and ``height``), one that ends in ``.manifest`` (a dataset, for
            ``project.import_dataset``), or a folder (Parquet files with the columns of the table). A journal beside
            it, in such a folder within it, tells what is done.
        resume : bool
            Go on with what is at ``to``, after an interrupt or when the kernel died: no image is written twice, none
            is left out, not even those that came since. Nothing there: begin.
        batch_size : int, optional
            How many go through the model at once; what suits the device and its memory by default.

        Returns
        -------
        DataFrame
            image, label, confidence (0..1), left, top, width, height (pixels; null from classifiers).
            ``.attrs["errors"]`` lists the images that could not be read: dicts of image, code, message.
        WrittenDetections
            With ``to``: how many images were looked at and are left, ``errors``, and ``table()`` to read it all.

        Raises
        ------
        InputError
            If an argument can't be used, or what is at ``to`` was begun with another model, threshold or max_results.
        """
        from customlabels_nb.inference.batch import detect_many, words_on_the_rest

        sources, root = (images.images, images.root) if isinstance(images, Dataset) else (images, self._root)
        asked = {"threshold": threshold, "max_results": max_results, "to": to, "resume": resume}
        with progress_bars(events or Events(), show=progress) as stream:
            found = detect_many(
                self._running(),
                sources,
                root=root,
                batch_size=batch_size,
                events=stream,
                **asked,  # type: ignore[arg-type]
            )
        for words in words_on_the_rest(found):
            say(words)
        return found

    def evaluate(
        self,
        data: Dataset | pd.DataFrame,
        *,
        thresholds: float | Mapping[str, float] | str | None = None,
        progress: bool = True,
        events: Events | None = None,
    ) -> Report:
        """Run the model over labelled images and compare what it finds with their labels.

        Parameters
        ----------
        data : Dataset or DataFrame
            Of a dataset the images whose labelling is complete. A DataFrame has the columns ``image`` and ``label``,
            one row a label (null: nothing is there), of boxes also ``left``, ``top``, ``width``, ``height`` in pixels.
            Further columns are kept, for ``report.by``. Without ``data``, a project's version is judged by its own
            test images as they were at training, and doesn't run.
        thresholds : number, dict, "best" or "cross-validated", optional
            The confidence (0..1) from which on a prediction counts, for all labels or by label. The model's own by
            default, and for labels that a dict doesn't name; without ``data`` "best", which chooses each where F1 is
            highest on these images. "cross-validated" chooses for each fifth of them on the other four.

        Returns
        -------
        Report
            Images that can't be read are left out; ``.details`` counts them.

        Raises
        ------
        InputError, TableError, LabelError
            If an argument can't be used, or a threshold is of a label that the model doesn't know.
        NotEnoughDataError
            If no image is labelled in the way of this model, or none can be read.
        Cancelled
            If it was stopped: nothing was evaluated.

        Examples
        --------
        Judge a model by photos that came after its training::

            report = model.evaluate(cl.read_dataset("new.manifest"))
            report.per_label[["label", "precision", "recall"]]
        """
        from customlabels_nb import evaluation
        from customlabels_nb.inference.thresholds import resolve_thresholds
        from customlabels_nb.project.report import Report
        from customlabels_nb.training.plan import usable_part

        config = load_config(self.folder)
        chosen = isinstance(thresholds, str) and thresholds in ("best", "cross-validated")
        own = {} if chosen else dict(zip(config.labels, resolve_thresholds(config, thresholds), strict=True))  # type: ignore[arg-type]
        if isinstance(data, pd.DataFrame):
            extra = [name for name in data if name not in t.ANNOTATION_COLUMNS and name not in t.IMAGE_COLUMNS]
            images = data[["image", *extra]].drop_duplicates("image") if "image" in data else data
            data = Dataset(images.assign(status="labelled"), data)
        elif not isinstance(data, Dataset):
            raise InputError(f"data is of type {type(data).__name__}; give a Dataset or a DataFrame.")
        images = t.settle_statuses(data.images, data.annotations)
        data = Dataset(images, data.annotations, data.labels, name=data.name, root=data.root)
        part = usable_part(data, config.kind)
        images = data.images[data.images["image"].isin(part.images["image"])]
        asked = Dataset(images, root=data.root or self._root)
        found = self.detect_many(asked, threshold=0, progress=progress, events=events)
        if found.attrs.get("interrupted"):
            raise Cancelled("Stopped by you: nothing was evaluated.")
        unread = [error["image"] for error in found.attrs["errors"]]
        images = images[~images["image"].isin(unread)]
        truth = part.marks[part.marks["image"].isin(images["image"])]
        here = {*truth["label"], *found["label"]}
        result = evaluation.evaluate(
            truth,
            found,
            images,
            labels=pd.DataFrame({"label": config.labels, "colour": config.colours}),
            thresholds=thresholds if chosen else {label: float(own.get(label, 0.5)) for label in here},
            task=config.kind,
        )
        details = {"data": data.name} | ({"left out, as they could not be read": len(unread)} if unread else {})
        return Report(result, name=self.name, details=details, root=asked.root)

    def export(self, format: str, path: str | os.PathLike[str] | None = None) -> Exported:
        """Write the model for other programs, with a small program beside it that runs it without this package.

        Thresholds, labels, colours and what is done to an image before the network stand in the file's metadata. What
        was written is compared with the model on photos of the test set, where there are any.

        Parameters
        ----------
        format : {"onnx", "pt2"}
            For onnxruntime and others, or for PyTorch.
        path : path, optional
            A new folder, or one that an export was written to before; ``<name>-<format>`` in the current folder by
            default.

        Raises
        ------
        ModelError
            If what was written says something else than the model. No file is kept then.
        """
        from customlabels_nb.inference.exporting.export import export

        return export(self.folder, self.name, format, path, pictures=self._photos())

    def _photos(self) -> list[str]:
        """Photos like those that the model is for, if some are at hand; perhaps some can't be read."""
        return []

    def try_it(self) -> QuickTest:
        """Try the model in the notebook: drop or paste a photo, choose a file, give a URL, or take a picture.

        Thresholds move without asking the model again; of a project, other versions can be tried beside it, and photos
        added to the dataset with the labels found right.

        Returns
        -------
        QuickTest
            A widget that other cells can read and steer: ``ask(image)``, ``table``, ``detection``, ``threshold``.
        """
        from customlabels_nb.widgets.quick_test import QuickTest

        return QuickTest(self._trying())

    def _trying(self) -> QuickTestSession:
        from customlabels_nb.labeling.quick_test import QuickTestSession

        return QuickTestSession(lambda: [self._as_candidate()])

    def _as_candidate(self, about: str = "") -> QuickTestModel:
        from customlabels_nb.labeling.quick_test import Facts, QuickTestModel

        def facts() -> Facts:
            config = self._running().config
            own = tuple(map(config.threshold_of, config.labels))
            return Facts(config.labels, config.colours, own, config.activation == "softmax")

        def device() -> str | None:
            return None if self._predictor is None else self._predictor.device

        ask = partial(self.detect, threshold=0)
        return QuickTestModel(self.name, about, self.start, self.stop, device, ask, facts)

    def detect_video(
        self,
        video: str | os.PathLike[str],
        every: str | int = "1s",
        threshold: float | Mapping[str, float] | None = None,
        max_results: int | None = None,
        *,
        to: str | os.PathLike[str] | None = None,
        allow_damaged: bool = False,
        progress: bool = True,
        events: Events | None = None,
    ) -> VideoDetection:
        """Find the labels in a video: MP4, MOV and whatever else FFmpeg reads (``pip install customlabels-nb[video]``).

        Parameters
        ----------
        video : path or URL
        every : str or int
            Between the frames that are looked at: a time ("1s", "500ms"), or a number of frames; 1 for all.
        threshold, max_results
            As in :meth:`detect`, for each frame.
        to : path, optional
            A folder gets ``<video>.json`` (in the API's form, with ``Timestamp`` in ms) and ``<video>.annotated.mp4``;
            a path ending in ``.json`` or ``.mp4`` only that.
        allow_damaged : bool
            Go as far as a file goes that ends too early.

        Returns
        -------
        VideoDetection
            Shows itself, with the annotated video if that was written. ``.table``: frame, timestamp_ms, label,
            confidence (0..1), left, top, width, height; ``.frames``, ``.response``; ``.to(path)`` writes later.
        """
        from customlabels_nb.inference.video import detect_video

        root = self._root if self._root is not None and _lies_in(self._root, video) else None
        options: dict[str, Any] = {"every": every, "threshold": threshold, "max_results": max_results, "to": to}
        with progress_bars(events or Events(), show=progress) as stream:
            found = detect_video(
                self._running(), video, root=root, allow_damaged=allow_damaged, events=stream, **options
            )
        if found.interrupted:
            say("Stopped: what was found until then is kept, and nothing was written; .to(path) writes it.")
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


def load_model(path: str | os.PathLike[str]) -> LoadedModel:
    """A trained model from its folder or a zip file of it, without the project that it was made in.

    Nothing in it is executed: weights are numbers, and the rest is checked before it is used. Of a folder only
    ``config.json`` and ``model.safetensors`` are read.

    Parameters
    ----------
    path : path
        A version's folder (``model.folder`` says where that is), a copy of it, or a zip file with one in it.

    Returns
    -------
    LoadedModel
        Runs as a project's version does: ``start``, ``detect``, ``detect_many``, ``stop``, …

    Raises
    ------
    ArtifactError
        If there is no model, it is damaged, or of a newer release. Damaged weights are noticed at the first start.
    """
    place = local_path(path, "path").absolute()
    if not place.is_file():
        if (place / DATABASE).is_file() and not (place / CONFIG).exists():
            raise ArtifactError(f"{str(place)!r} is a project: cl.load_project(…).model('latest') is its newest model.")
        return LoadedModel(place, place.resolve().name)
    unpacked = Path(tempfile.mkdtemp(prefix="customlabels-model-"))
    try:
        found = _unpack(place, unpacked)
        model = LoadedModel(unpacked, found or place.stem)
    except BaseException:
        shutil.rmtree(unpacked, ignore_errors=True)
        raise
    weakref.finalize(model, shutil.rmtree, unpacked, ignore_errors=True)
    return model


class LoadedModel(Runnable):
    """A model that runs without a project. Made by :func:`load_model`.

    Attributes
    ----------
    name : str
        What its folder is called, which is the name of the version that it was.
    """

    def __init__(self, folder: Path, name: str) -> None:
        config = load_config(folder)
        self.name = name or "model"
        self._folder = folder
        self._kind, self._labels = config.kind, config.labels
        self._running_here: Predictor | None = None

    @property
    def folder(self) -> Path:
        """Where it lies; a folder for the time being if it came in a zip file."""
        return self._folder

    @property
    def kind(self) -> str:
        """ "single-label", "multi-label" or "detection"."""
        return self._kind

    @property
    def labels(self) -> tuple[str, ...]:
        """What it tells apart."""
        return self._labels

    @property
    def thresholds(self) -> dict[str, float]:
        """The confidence (0..1) from which on each label counts."""
        config = load_config(self._folder)
        return {label: config.threshold_of(label) for label in config.labels}

    def start(
        self, device: str | None = None, *, engine: str | None = None, idle_stop: str | float | None = None
    ) -> LoadedModel:
        from customlabels_nb.inference.predictor import Predictor

        if self._running_here is None:
            self._running_here = Predictor(self._folder)
        self._running_here.start(device, engine=engine, idle_stop=idle_stop)
        return self

    def stop(self) -> None:
        """Free the memory that the model takes; stopping what doesn't run is no error."""
        if self._running_here is not None:
            self._running_here.stop()

    @property
    def _predictor(self) -> Predictor | None:
        known = self._running_here
        return known if known is not None and known.running else None

    def __repr__(self) -> str:
        return f"LoadedModel({one_line(self.name)!r}, {self._kind}, {len(self._labels):,} labels, {self._state})"

    def _repr_html_(self) -> str:
        return render("loaded_model.html", name=self.name, kind=self._kind, state=self._state, labels=self._labels)

    @property
    def _state(self) -> str:
        return "stopped" if self._predictor is None else f"running on {self._predictor.device}"


def _unpack(archive: Path, to: Path) -> str:
    """Write config and weights of the one model in a zip file to ``to``; returns what its folder is called there."""
    try:
        with zipfile.ZipFile(archive) as opened:
            members = {PurePosixPath(member.filename): member for member in opened.infolist()}
            homes = [path.parent for path in members if path.name == CONFIG and path.with_name(WEIGHTS) in members]
            if len(homes) != 1:
                raise ArtifactError(
                    f"{str(archive)!r} has {len(homes)} models in it; give a zip file of one version's folder. "
                    "A packed project is opened with cl.unpack_project."
                )
            for name, most in ((CONFIG, MOST_CONFIG_BYTES), (WEIGHTS, _MOST_RATIO * archive.stat().st_size)):
                _extract(opened, members[homes[0] / name], to / name, most)
    except (ArtifactError, KeyboardInterrupt):
        raise
    except Exception as error:  # zipfile's parser raises whatever a damaged file makes it
        raise ArtifactError(f"{str(archive)!r} can't be read as a zip file of a model: {error}.") from error
    return homes[0].name.strip(".")


def _extract(opened: zipfile.ZipFile, member: zipfile.ZipInfo, to: Path, most: int) -> None:
    if member.file_size > most:
        raise ArtifactError(
            f"{member.filename!r} would unpack to {member.file_size:,} bytes: it looks like a zip bomb."
        )
    left = member.file_size
    with opened.open(member) as source, to.open("xb") as file:
        while chunk := source.read(min(_CHUNK, left)) if left else b"":  # never more than it says
            file.write(chunk)
            left -= len(chunk)
