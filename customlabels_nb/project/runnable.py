"""Run trained models: predict images and videos, evaluate, export, and load a model without a project."""

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
from typing import TYPE_CHECKING, Any, Self, Unpack, overload

import pandas as pd

from customlabels_nb._utils.progress_bars import progress_bars, say
from customlabels_nb._utils.rendering import render
from customlabels_nb._utils.text import counted, one_line
from customlabels_nb._utils.unknown_names import NameHints, names_arguments
from customlabels_nb.core import tables as t
from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.errors import ArtifactError, Cancelled, InputError, NotEnoughDataError
from customlabels_nb.events import Events, Listener
from customlabels_nb.images.locations import local_path
from customlabels_nb.models.artifact import CONFIG, MOST_CONFIG_BYTES, WEIGHTS, load_config
from customlabels_nb.models.pretrained.weights import HUB
from customlabels_nb.project.location import DATABASE

if TYPE_CHECKING:
    from customlabels_nb.core.decisions import Decision, EvaluationDecision
    from customlabels_nb.inference.detect_many import ManyOptions
    from customlabels_nb.inference.detection import Detection
    from customlabels_nb.inference.engines.names import EngineChoice, EngineName
    from customlabels_nb.inference.exporting.export import Exported
    from customlabels_nb.inference.exporting.formats import ExportFormat
    from customlabels_nb.inference.inputs import ImageInput, ImageSource
    from customlabels_nb.inference.predictor import Predictor
    from customlabels_nb.inference.result_writing import WrittenDetections
    from customlabels_nb.inference.video import VideoDetection
    from customlabels_nb.labeling.quick_test import QuickTestModel, QuickTestSession
    from customlabels_nb.project.report import Report
    from customlabels_nb.widgets.quick_test import QuickTest
    from customlabels_nb.workers.spreading import Backend

_MOST_RATIO = 20  # weights hardly compress
_CHUNK = 1 << 20


class Runnable(NameHints, ABC):
    """Base class of models that can be started, used for predictions and stopped."""

    name: str

    @property
    def _root(self) -> Path | None:
        """Folder that relative image paths refer to if they do not exist in the current folder."""
        return None

    @abstractmethod
    def start(
        self,
        device: str | None = None,
        *,
        engine: EngineName | None = None,
        idle_stop: str | float | None = None,
        views: int | None = None,
    ) -> Self:
        """Load the weights onto a device and warm up the model.

        A running model is left unchanged, or moved if a different device is given.

        Parameters
        ----------
        device : str, optional
            Device to run on: "cuda", "mps" or "cpu". By default, the first of these that is available.
        engine : str, optional
            Inference engine: "torch", "bfloat16" (torch with 16-bit floats, if the CPU supports them, which changes
            confidences on photos by up to 0.004), "onnx" (onnxruntime, requires ``pip install customlabels-nb[onnx]``),
            or "auto" for the fastest one whose output on generated images matches torch. By default unchanged, and
            "auto" at the first start. ``model.engine`` gives the engine in use, and why the others were rejected.
        idle_stop : str or float, optional
            Stop the model and free its memory after this time without requests: seconds, or a string like "10min". The
            next request starts it again. By default unchanged, and "never" at the first start.
        views : int, optional
            Number of views of each image over which predictions are averaged: 1, 2 (the image and its mirror image), or
            4 (for a classifier also the centre of both, for a detector both at 1.25 times the size). Prediction takes
            that many times as long, or five times as long for a detector with four views. By default unchanged, and 1
            at the first start.

            On seven datasets with 2 or 5 training images per label, a mirrored view changed the accuracy of classifiers
            by -0.006 to +0.010, and a third, cropped view by -0.017 to +0.019 in total: it rose on textures and drawn
            flowers, and fell on digits.

            A detector merges the boxes of an object from all views, and lowers the confidence of a box that only some
            views have. On five datasets, with five seeds and 100 training steps, two views raised AP50 by 0.002 on
            average and AP by 0.021, four views by 0.003 and 0.029 (small objects by 0.055, raccoons not at all). At the
            first start with several views, the thresholds of a project's detector are chosen on its test images in
            these views. The stored evaluation uses one view. Keep one view if the mirror image of an object has a
            different label, such as an arrow to the left.

        Raises
        ------
        InputError
            If ``views`` or another argument is invalid.
        ArtifactError
            If the weights are damaged, or belong to a different model.
        DeviceError
            If the given device is not available.

        Examples
        --------
        >>> running = model.start("cpu", engine="torch", idle_stop="10min", views=2)
        >>> running.engine
        torch
        >>> model.stop()
        """

    @abstractmethod
    def stop(self) -> None:
        """Stop the model and free its memory."""

    @property
    @abstractmethod
    def folder(self) -> Path:
        """Folder with the weights and all other files of the model."""

    @property
    @abstractmethod
    def _predictor(self) -> Predictor | None:
        """Predictor that runs the model in this process, or None if it is not running."""

    @property
    def engine(self) -> EngineChoice | None:
        """Engine running the model, and why the others were rejected. None if the model is not running."""
        return None if self._predictor is None else self._predictor.engine

    @contextmanager
    def started(self, device: str | None = None, *, engine: EngineName | None = None) -> Iterator[Self]:
        """Start the model for a ``with`` block and stop it at the end, even after an error.

        ``device`` and ``engine`` are described in :meth:`start`.

        Examples
        --------
        >>> with model.started("cpu", engine="torch") as running:
        ...     running.detect(photo).name
        '...jpg'
        """
        self.start(device, engine=engine)
        try:
            yield self
        finally:
            self.stop()

    def detect(
        self,
        image: ImageInput,
        threshold: float | Mapping[str, float] | Decision | None = None,
        max_results: int | None = None,
    ) -> Detection:
        """Predict the labels, or detect the objects, of one image.

        Parameters
        ----------
        image : path, URL, bytes, PIL image, array or tensor
            Image to predict. Arrays are (height, width[, 3 or 4]), tensors (3, height, width), uint8 or float between 0
            and 1.
        threshold : float, dict, "most confident" or "assumed", optional
            Minimum confidence of a prediction (between 0 and 1), for all labels or by label. By default, the model's
            decision: the most confident label if images have one label, otherwise each label's own threshold
            ("assumed"). 0 returns everything, which is for a detector at most the number of boxes that it was trained
            for (``max_boxes`` of ``project.train``).
        max_results : int, optional
            Maximum number of results. The most confident ones are returned.

        Returns
        -------
        Detection
            Result, displayed in notebooks as the image with its labels. ``.table`` and ``.response`` (JSON in
            Rekognition's format) contain the results.

        Examples
        --------
        >>> with model.started("cpu", engine="torch"):
        ...     detection = model.detect(photo, threshold=0)
        >>> sorted(detection.table["label"])
        ['bathroom', 'bedroom', 'garden']
        """
        from customlabels_nb.inference.detection import detect

        root = self._root if self._root is not None and _lies_in(self._root, image) else None
        return detect(self._running(), image, threshold=threshold, max_results=max_results, root=root)

    @overload
    def detect_many(
        self,
        images: ImageSource,
        threshold: float | Mapping[str, float] | Decision | None = None,
        max_results: int | None = None,
        *,
        to: None = None,
        progress: bool = True,
        events: Events | Listener | None = None,
        **options: Unpack[ManyOptions],
    ) -> pd.DataFrame: ...

    @overload
    def detect_many(
        self,
        images: ImageSource,
        threshold: float | Mapping[str, float] | Decision | None = None,
        max_results: int | None = None,
        *,
        to: str | os.PathLike[str],
        progress: bool = True,
        events: Events | Listener | None = None,
        **options: Unpack[ManyOptions],
    ) -> WrittenDetections: ...

    def detect_many(
        self,
        images: ImageSource,
        threshold: float | Mapping[str, float] | Decision | None = None,
        max_results: int | None = None,
        *,
        to: str | os.PathLike[str] | None = None,
        resume: bool = False,
        batch_size: int | None = None,
        workers: int | None = None,
        backend: Backend | None = None,
        shared_filesystem: bool = False,
        progress: bool = True,
        events: Events | Listener | None = None,
    ) -> pd.DataFrame | WrittenDetections:
        """Predict the labels, or detect the objects, of many images in batches.

        Only a few batches are in memory at a time.

        Parameters
        ----------
        images : paths, a glob, a folder, a URL that ends in "/", a dataset or a DataFrame with a column ``image``
            Images to predict.
        threshold, max_results
            As in :meth:`detect`, for each image.
        to : path or URL, optional
            File or folder to write the results to while they arrive, instead of keeping them in memory: a file that
            ends in ``.jsonl`` (a line for each image with ``image`` and Rekognition's ``CustomLabels``, and for
            detectors also the image's ``width`` and ``height``), one that ends in ``.manifest`` (a dataset, for
            ``project.import_dataset``, without polygons), or a folder (Parquet files with the columns of the table),
            which may be a URL like "s3://bucket/found/". A journal next to the file, or inside the folder, records the
            progress.
            :func:`customlabels_nb.open_results` opens the folder again.
        resume : bool
            Continue with the results at ``to`` after an interrupt or a killed kernel. No image is written twice or
            skipped, and images added since then are included. If there are no results yet, start from the beginning.
        batch_size : int, optional
            Number of images per batch. By default chosen for the device and its memory.
        workers : int, optional
            Number of processes that share the work. Each loads the model and writes the results of whole chunks of
            images. This requires ``pip install customlabels-nb[parquet]``.
        backend : {"ray"}, optional
            Run the workers on the Ray cluster at ``RAY_ADDRESS`` instead of this machine, by default as many as it has
            CPUs. This requires ``pip install customlabels-nb[ray]`` and ``to``.
        shared_filesystem : bool
            With ``backend="ray"``: allow local paths, because all machines have the same files at these paths.

        Returns
        -------
        DataFrame
            Columns image, label, confidence (between 0 and 1) and, for a detector, left, top, width, height (in
            pixels). ``.attrs["decision"]`` is "most confident", or the thresholds by label. ``.attrs["errors"]`` lists
            the images that could not be read, as dicts of image, code and message.
        WrittenDetections
            With ``to``: numbers of processed and remaining images, ``errors``, and ``table()`` to read all results.

        Raises
        ------
        InputError
            If an argument is invalid, or the results at ``to`` come from a different model, ``threshold`` or
            ``max_results``.
        HelperError
            If the workers cannot do the work. Finished chunks are kept, and ``resume=True`` continues after them.

        Examples
        --------
        >>> with model.started("cpu", engine="torch"):
        ...     table = model.detect_many(photos, progress=False)
        >>> table.columns.tolist()
        ['image', 'label', 'confidence']
        >>> table.attrs["errors"]
        []

        Share the work between four processes, or the machines of a cluster:

        >>> model.detect_many("s3://b/photos/", to="s3://b/found/", workers=4)  # doctest: +SKIP
        >>> model.detect_many("s3://b/photos/", to="s3://b/found/", backend="ray", resume=True)  # doctest: +SKIP
        """
        from customlabels_nb.inference.detect_many import describe_unfinished, detect_many

        sources, root = (images.image_table, images.root) if isinstance(images, Dataset) else (images, self._root)
        with progress_bars(events, show=progress) as stream:
            result = detect_many(
                self._running(), sources, root=root, threshold=threshold, max_results=max_results, to=to,
                resume=resume, batch_size=batch_size, workers=workers, backend=backend,
                shared_filesystem=shared_filesystem, events=stream,
            )  # fmt: skip
        for words in describe_unfinished(result):
            say(words)
        return result

    def evaluate(
        self,
        data: Dataset | pd.DataFrame,
        *,
        thresholds: float | Mapping[str, float] | EvaluationDecision | None = None,
        progress: bool = True,
        events: Events | Listener | None = None,
    ) -> Report:
        """Run the model on labelled images and compare its predictions with the labels.

        Parameters
        ----------
        data : Dataset or DataFrame
            Labelled images. In a dataset, only images whose labelling is complete are used. A DataFrame has the columns
            ``image`` and ``label``, one row per label (missing for an image without labels), and for boxes also
            ``left``, ``top``, ``width``, ``height`` in pixels. Further columns are available in ``report.by``.
        thresholds : number, dict, "most confident", "assumed", "best" or "cross-validated", optional
            Rule that decides which predictions are answers, by default that of the model. A number or a dict is the
            minimum confidence of a prediction (between 0 and 1), for all labels or by label. "most confident" is the
            label with the highest confidence, for models of one label per image. Labels missing in a dict have the
            model's own thresholds, and so has "assumed". "best" chooses the threshold with the highest F1 on the
            evaluated images for each label. "cross-validated" chooses the thresholds for each fifth of the images from
            the other four fifths.

        Returns
        -------
        Report
            ``.notes`` has a sentence for each reason why images or labels were left out, with their number.

        Raises
        ------
        InputError, TableError, LabelError
            If an argument is invalid, or a threshold is for a label that the model does not know.
        NotEnoughDataError
            If no image is labelled for the model's task, or none can be read.
        Cancelled
            If prediction is stopped. Nothing is evaluated.

        Examples
        --------
        Evaluate a model on photos taken after its training:

        >>> new = pd.DataFrame({"image": [photo], "label": ["bedroom"]})
        >>> with model.started("cpu", engine="torch"):
        ...     report = model.evaluate(new, progress=False)
        >>> report.per_label[["label", "test_images"]]
              label  test_images
        0  bathroom            0
        1   bedroom            1
        2    garden            0
        """
        from customlabels_nb import evaluation
        from customlabels_nb.inference.thresholds import decision_of, resolve_thresholds
        from customlabels_nb.project.report import Report
        from customlabels_nb.training.plan import left_out, unread_notes, usable_part

        config, data = load_config(self.folder), _labelled_dataset(data)
        chosen = isinstance(thresholds, str) and thresholds in ("best", "cross-validated")
        views = self._running().views
        decision = thresholds if chosen else decision_of(config, resolve_thresholds(config, thresholds, views))
        part = usable_part(data, config.task)
        images = data.image_table[data.image_table["image"].isin(part.images["image"])]
        notes = left_out(data, part, "image", config.task)
        if images.empty:
            reason = " ".join(notes) or "It contains no images."
            raise NotEnoughDataError(f"data has nothing to evaluate a {config.task} model on. {reason}")
        labelled = Dataset(images, root=data.root or self._root)
        predictions = self.detect_many(labelled, threshold=0, progress=progress, events=events)
        if predictions.attrs.get("interrupted"):
            raise Cancelled("Stopped by you. Nothing was evaluated.")
        unread = [error["image"] for error in predictions.attrs["errors"]]
        if len(unread) == len(images):
            first = predictions.attrs["errors"][0]
            raise NotEnoughDataError(
                f"data has nothing to evaluate: none of its {counted(len(images), 'image')} can be read. "
                f"{first['image']!r}: {first['message']}"
            )
        images = images[~images["image"].isin(unread)]
        truth = part.marks[part.marks["image"].isin(images["image"])]
        here = {*truth["label"], *predictions["label"]}
        result = evaluation.evaluate(
            truth,
            predictions,
            images,
            labels=pd.DataFrame({"label": config.labels, "color": config.colors}),
            thresholds={name: decision.get(name, 0.5) for name in here} if isinstance(decision, dict) else decision,
            task=config.task,
            left_out=[*notes, *unread_notes(unread)],
            max_boxes=config.box_limit,
        )
        details = {"data": data.name} | ({"left out, as they could not be read": len(unread)} if unread else {})
        return Report(result, name=self.name, details=details, root=labelled.root)

    def export(self, format: ExportFormat, path: str | os.PathLike[str] | None = None) -> Exported:
        """Export the model to ONNX or PyTorch format, with a small script that runs it without this package.

        Thresholds, labels, colors and the image preprocessing are stored in the file's metadata. The exported model is
        compared with the original on photos of the test set, if there are any.

        Parameters
        ----------
        format : {"onnx", "pt2"}
            Format: "onnx" for onnxruntime and others, "pt2" for PyTorch.
        path : path, optional
            Folder to write, which must be new or contain an earlier export. By default ``<name>-<format>`` in the
            current folder.

        Raises
        ------
        ModelError
            If the results of the exported model differ from those of the original. In that case, no file is written.

        Examples
        --------
        >>> exported = model.export("onnx", "rooms-onnx")  # doctest: +SKIP
        """
        from customlabels_nb.inference.exporting.export import export

        return export(self.folder, self.name, format, path, pictures=self._photos())

    def _photos(self) -> list[str]:
        """Return photos similar to the training images, if available. Some may be unreadable."""
        return []

    def quick_test(self) -> QuickTest:
        """Open the quick test to try the model on a photo: drop, paste or choose a file, enter a URL or use the camera.

        Thresholds can be changed without running the model again. In a project, the model can be compared with other
        versions, and photos can be added to the dataset with the labels you confirm.

        Returns
        -------
        QuickTest
            Widget that other cells can read and control with ``ask(image)``, ``table``, ``detection`` and
            ``threshold``.

        Examples
        --------
        >>> quick_test = model.quick_test()
        >>> quick_test.close()
        """
        from customlabels_nb.widgets.quick_test import QuickTest

        return QuickTest(self._trying())

    def _trying(self) -> QuickTestSession:
        from customlabels_nb.labeling.quick_test import QuickTestSession

        return QuickTestSession(lambda: [self._as_candidate()])

    def _as_candidate(self, about: str = "") -> QuickTestModel:
        from customlabels_nb.inference.thresholds import resolve_thresholds
        from customlabels_nb.labeling.quick_test import Facts, QuickTestModel

        def facts() -> Facts:
            predictor = self._running()
            config = predictor.config
            resolved = resolve_thresholds(load_config(self.folder), None, predictor.views)
            thresholds = None if resolved is None else tuple(resolved.tolist())
            return Facts(config.labels, config.colors, thresholds, config.activation == "softmax")

        def device() -> str | None:
            return None if self._predictor is None else self._predictor.device

        ask = partial(self.detect, threshold=0)
        return QuickTestModel(self.name, about, self.start, self.stop, device, ask, facts)

    def detect_video(
        self,
        video: str | os.PathLike[str],
        every: str | int = "1s",
        threshold: float | Mapping[str, float] | Decision | None = None,
        max_results: int | None = None,
        *,
        to: str | os.PathLike[str] | None = None,
        allow_damaged: bool = False,
        progress: bool = True,
        events: Events | Listener | None = None,
    ) -> VideoDetection:
        """Detect labels in the frames of a video: MP4, MOV and other formats supported by FFmpeg.

        This requires ``pip install customlabels-nb[video]``.

        Parameters
        ----------
        video : path or URL
            Video to process.
        every : str or int
            Interval between the analysed frames: a time ("1s", "500ms"), or a number of frames, 1 for all.
        threshold, max_results
            As in :meth:`detect`, for each frame.
        to : path, optional
            Folder to write ``<video>.json`` (in Rekognition's format, with ``Timestamp`` in ms) and
            ``<video>.annotated.mp4`` to. For a path ending in ``.json`` or ``.mp4``, only that file is written.
        allow_damaged : bool
            Process a truncated file as far as it can be read.

        Returns
        -------
        VideoDetection
            Result, displayed in notebooks with the annotated video if one was written. ``.table`` has the columns
            frame, timestamp_ms, label, confidence (between 0 and 1), left, top, width, height. See also ``.frames`` and
            ``.response``. ``.to(path)`` writes the files later.

        Examples
        --------
        >>> found = model.detect_video("tour.mp4", every="500ms", to="results")  # doctest: +SKIP
        """
        from customlabels_nb.inference.video import detect_video

        root = self._root if self._root is not None and _lies_in(self._root, video) else None
        options: dict[str, Any] = {"every": every, "threshold": threshold, "max_results": max_results, "to": to}
        with progress_bars(events, show=progress) as stream:
            detection = detect_video(
                self._running(), video, root=root, allow_damaged=allow_damaged, events=stream, **options
            )
        if detection.interrupted:
            say("Stopped. The detections so far are available, but nothing was written. Call .to(path) to write them.")
        return detection

    def _running(self) -> Predictor:
        if self._predictor is None:
            self.start()
            predictor = self._predictor
            assert predictor is not None
            say(f"{self.name} was not running and was started on {predictor.device}. model.stop() frees its memory.")
            return predictor
        return self._predictor


def _lies_in(root: Path, image: Any) -> bool:
    """Check whether ``image`` is the relative path of a copy or upload in the project's folder."""
    if not isinstance(image, str) or "\0" in image or os.path.exists(image):
        return False
    return not os.path.isabs(image) and (root / image).is_file()


@names_arguments
def load_model(path: str | os.PathLike[str]) -> LoadedModel:
    """Load a trained model from its folder, a zip file of the folder, or the Hugging Face Hub, without its project.

    Loading executes no code from the file: the weights are plain numbers, and everything else is validated. In a
    folder, only ``config.json`` and ``model.safetensors`` are read. From the Hub, only these two are downloaded.

    Parameters
    ----------
    path : path or str
        A version's folder (see ``model.folder``), a copy of it, a zip file that contains one, or
        ``"hf://user/name@revision"`` with an optional branch, tag or commit, see ``model.push_to_hub``. Private
        repositories need ``hf auth login``, or a token in ``HF_TOKEN``.

    Returns
    -------
    LoadedModel
        Model with the methods of a project's version: ``start``, ``detect``, ``detect_many``, ``stop``, …

    Raises
    ------
    ArtifactError
        If the model is missing, is damaged, or was created by a newer release. Damaged weights are detected at the
        first start.
    WeightsUnavailableError
        If a repository or revision does not exist on the Hub or cannot be reached, or access to it is denied.

    Examples
    --------
    >>> cl.load_model(model.folder)
    LoadedModel('first', single-label, 3 labels, stopped)
    >>> cl.load_model("hf://ann/rooms@main")  # doctest: +SKIP
    """
    if isinstance(path, str) and path.startswith(HUB):
        from customlabels_nb.project.hub import download_model

        return LoadedModel(*download_model(path))
    file = local_path(path, "path").absolute()
    if not file.is_file():
        if (file / DATABASE).is_file() and not (file / CONFIG).exists():
            raise ArtifactError(
                f"{str(file)!r} is a project. Load its newest model with cl.load_project(…).model('latest')."
            )
        return LoadedModel(file, file.resolve().name)
    unpacked = Path(tempfile.mkdtemp(prefix="customlabels-model-"))
    try:
        name = _unpack(file, unpacked)
        model = LoadedModel(unpacked, name or file.stem)
    except BaseException:
        shutil.rmtree(unpacked, ignore_errors=True)
        raise
    weakref.finalize(model, shutil.rmtree, unpacked, ignore_errors=True)
    return model


class LoadedModel(Runnable):
    """Model that runs without a project, returned by :func:`load_model`.

    Attributes
    ----------
    name : str
        Name of the folder, which is the name of the original version.

    Examples
    --------
    >>> loaded = cl.load_model(model.folder)
    >>> loaded.labels
    ('bathroom', 'bedroom', 'garden')
    >>> with loaded.started("cpu", engine="torch"):
    ...     table = loaded.detect_many(photos, progress=False)
    """

    def __init__(self, folder: Path, name: str) -> None:
        config = load_config(folder)
        self.name = name or "model"
        self._folder = folder
        self._task, self._labels = config.task, config.labels
        self._running_here: Predictor | None = None

    @property
    def folder(self) -> Path:
        """Folder of the model, a temporary one if it was loaded from a zip file."""
        return self._folder

    @property
    def task(self) -> str:
        """Task of the model: "single-label", "multi-label", "boxes" or "polygons"."""
        return self._task

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the model, in the order of its outputs."""
        return self._labels

    @property
    def thresholds(self) -> dict[str, float]:
        """Confidence threshold of each label, between 0 and 1."""
        config = load_config(self._folder)
        return {label: config.threshold_of(label) for label in config.labels}

    @property
    def decision(self) -> str:
        """Rule for the answers of the model: "most confident", or "assumed" for the thresholds."""
        return load_config(self._folder).decision

    def start(
        self,
        device: str | None = None,
        *,
        engine: EngineName | None = None,
        idle_stop: str | float | None = None,
        views: int | None = None,
    ) -> LoadedModel:
        from customlabels_nb.inference.predictor import Predictor

        if self._running_here is None:
            self._running_here = Predictor(self._folder)
        self._running_here.start(device, engine=engine, idle_stop=idle_stop, views=views)
        return self

    def stop(self) -> None:
        """Stop the model and free its memory, if it is running.

        Examples
        --------
        >>> loaded = cl.load_model(model.folder)
        >>> loaded.start("cpu", engine="torch")
        LoadedModel('first', single-label, 3 labels, running on cpu)
        >>> loaded.stop()
        """
        if self._running_here is not None:
            self._running_here.stop()

    @property
    def _predictor(self) -> Predictor | None:
        predictor = self._running_here
        return predictor if predictor is not None and predictor.running else None

    def __repr__(self) -> str:
        labels = counted(len(self._labels), "label")
        return f"LoadedModel({one_line(self.name)!r}, {self._task}, {labels}, {self._state})"

    def _repr_html_(self) -> str:
        return render("loaded_model.html", name=self.name, task=self._task, state=self._state, labels=self._labels)

    @property
    def _state(self) -> str:
        return "stopped" if self._predictor is None else f"running on {self._predictor.device}"


def _unpack(archive: Path, to: Path) -> str:
    """Extract config and weights of the only model in a zip file to ``to`` and return the name of its folder."""
    try:
        with zipfile.ZipFile(archive) as opened:
            members = {PurePosixPath(member.filename): member for member in opened.infolist()}
            homes = [path.parent for path in members if path.name == CONFIG and path.with_name(WEIGHTS) in members]
            if len(homes) != 1:
                raise ArtifactError(
                    f"{str(archive)!r} contains {len(homes)} models. Pass a zip file of one version's folder. "
                    "To open a packed project, use cl.unpack_project."
                )
            for name, most in ((CONFIG, MOST_CONFIG_BYTES), (WEIGHTS, _MOST_RATIO * archive.stat().st_size)):
                _extract(opened, members[homes[0] / name], to / name, most)
    except (ArtifactError, KeyboardInterrupt):
        raise
    except Exception as error:  # zipfile raises all kinds of errors for damaged archives
        raise ArtifactError(f"Cannot read {str(archive)!r} as a zip file of a model: {error}.") from error
    return homes[0].name.strip(".")


def _extract(opened: zipfile.ZipFile, member: zipfile.ZipInfo, to: Path, most: int) -> None:
    if member.file_size > most:
        raise ArtifactError(
            f"{member.filename!r} would unpack to {member.file_size:,} bytes. This looks like a zip bomb."
        )
    remaining = member.file_size
    with opened.open(member) as source, to.open("xb") as file:
        while chunk := source.read(min(_CHUNK, remaining)) if remaining else b"":  # never more than the declared size
            file.write(chunk)
            remaining -= len(chunk)


def _labelled_dataset(data: object) -> Dataset:
    """Convert the images to evaluate to a dataset in which annotated images are labelled."""
    if isinstance(data, pd.DataFrame):
        extra = [name for name in data if name not in t.ANNOTATION_COLUMNS and name not in t.IMAGE_COLUMNS]
        images = data[["image", *extra]].drop_duplicates("image") if "image" in data else data
        data = Dataset(images.assign(status="labelled"), data)
    elif not isinstance(data, Dataset):
        raise InputError(
            f"data must be a Dataset or a DataFrame, not {str(data)[:99]!r}. Read a folder with cl.read_dataset(…)."
        )
    images = t.settle_statuses(data.image_table, data.annotations)
    return Dataset(images, data.annotations, data.labels, name=data.name, root=data.root)
