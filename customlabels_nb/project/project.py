"""A project: the facade over its datasets, labels, versions and history."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from customlabels_nb.core import tables as t
from customlabels_nb.errors import ModelNotFoundError
from customlabels_nb.events import Events, Listener, progress_bars, say
from customlabels_nb.images.reading import local_path
from customlabels_nb.labeling import Query, ReviewQuery
from customlabels_nb.project import screens
from customlabels_nb.project.archive import Packed, pack
from customlabels_nb.project.lifecycle import delete_project, refuse_if_busy, rename_project
from customlabels_nb.project.location import (
    ProjectLocation,
    check_tags,
    new_version_name,
)
from customlabels_nb.project.model import Model, require_confirmation
from customlabels_nb.project.progress_display import watch
from customlabels_nb.project.project_data import ProjectData
from customlabels_nb.project.project_facts import find_version

if TYPE_CHECKING:
    from customlabels_nb.evaluation.comparison.comparing import Comparison


class Project(ProjectData):
    """Datasets, labels and model versions that belong together, in one folder.

    Made by :func:`create_project` and :func:`load_project`. Every change is one transaction with a line in
    ``history``.
    """

    def __init__(self, place: ProjectLocation) -> None:
        super().__init__(place)
        self._models: dict[str, Model] = {}

    # -- labelling ----------------------------------------------------------------------------------
    def label(
        self,
        split: str = t.TRAIN,
        *,
        mode: str = "grid",
        page_size: int = 24,
        sort: str = "random",
        seed: int = 0,
        widget: Any = None,
    ) -> Any:
        """Label images in the notebook: pages of thumbnails, keys 1–9, every label stored at once.

        Parameters
        ----------
        split : {"train", "test"}
        mode : {"grid", "single"}
            Pages of thumbnails, or one image at a time for the keyboard.
        page_size : {4, 6, 9, 24, 48, 100}
        sort : {"random", "name", "added", "uncertainty", "similarity"}
            Random order, the default, guards against bias.
        seed : int
            Of the random order.
        widget : class or widget, optional
            A labeller of ipyannotations in place of the gallery, such as ``ipyannotations.images.ClassLabeller``.

        Returns
        -------
        Gallery
            A widget that other cells can read and steer: ``selected``, ``set_filter(…)``, ``observe``.
        """
        query = Query(sort=sort, seed=seed)
        if widget is not None:
            return screens.plug_in(self._place, t.check_split(split), widget, query=query)
        return screens.open_gallery(
            self._place, t.check_split(split), dataset=self._dataset, query=query, page_size=page_size, mode=mode
        )

    def annotate(self, split: str = t.TRAIN, *, sort: str = "added", seed: int = 0) -> Any:
        """Draw boxes and polygons in the notebook; what is drawn is stored at once.

        Parameters
        ----------
        split : {"train", "test"}
        sort : {"added", "name", "random", "uncertainty", "similarity"}
        seed : int
            Of the random order.

        Returns
        -------
        Annotator
            A widget that other cells can read and steer: ``data``, ``selected``, ``display(image)``, ``set_filter(…)``.
        """
        query = Query(sort=sort, seed=seed)
        return screens.open_annotator(self._place, t.check_split(split), dataset=self._dataset, query=query)

    def dashboard(self) -> Any:
        """How labelling is going: progress, labels, who works how quickly, what waits, what training would say, export.

        It follows what is done in other cells and by other people. A click on a bar opens a gallery below with exactly
        the images that it counts.

        Returns
        -------
        Dashboard
            A widget that other cells can read and steer: ``figures`` (tables), ``show_images("train", label="apple")``,
            ``gallery``.
        """
        return screens.open_dashboard(
            self._place, dataset=self._dataset, check=lambda events: self.check(progress=False, events=events)
        )

    def history_panel(self) -> Any:
        """Who did what when, as a widget that takes actions back; ``project.history`` has it as a table."""
        return screens.open_history_panel(self._place)

    def review(
        self,
        split: str = t.TRAIN,
        *,
        label: str | None = None,
        show: str = "to_review",
        sort: str = "doubt",
        page_size: int = 24,
    ) -> Any:
        """Look through what was labelled: approve (Enter), correct (1–9) or reject (Delete), each stored at once.

        What is approved or corrected gets the tag "reviewed" and status "labelled"; whoever changes its labels later
        takes the tag away. What is rejected loses its labels and is unlabelled again; the history has them.

        Parameters
        ----------
        split : {"train", "test"}
        label : str, optional
            Only images with this label; "" for those that have none.
        show : {"to_review", "disagrees", "needs_review", "reviewed", "all"}
            "disagrees": what is to be reviewed and a model says another label for.
        sort : {"doubt", "name", "newest", "added", "random"}
            "doubt" puts first what a model is surest that it is labelled wrongly.
        page_size : {4, 6, 9, 24, 48, 100}

        Returns
        -------
        Review
            A widget that other cells can read and steer: ``selected``, ``progress``, ``set_filter(…)``, ``observe``,
            ``approve()``, ``correct(label)``, ``reject()``.
        """
        query = ReviewQuery(label=label, show=show, sort=sort)
        return screens.open_review(
            self._place, t.check_split(split), dataset=self._dataset, query=query, page_size=page_size
        )

    @property
    def instructions(self) -> str:
        """What people who label are told; set it to change that, also from the gallery."""
        return self.record.instructions

    @instructions.setter
    def instructions(self, text: str) -> None:
        self._store.set_project(self._action("set instructions"), instructions=text)

    # -- models -------------------------------------------------------------------------------------
    def train(
        self,
        name: str | None = None,
        *,
        kind: str | None = None,
        budget: str | float | None = None,
        steps: int | None = None,
        base: str | None = None,
        backbone: str | None = None,
        detector: str | None = None,
        input_size: int | None = None,
        seed: int = 0,
        device: str | None = None,
        tags: dict[str, str] | None = None,
        progress: bool | str = True,
        events: Events | None = None,
        callbacks: Sequence[Listener] = (),
    ) -> Model:
        """Train a version on the training set and test it on the test set; distributes first if there is none.

        Parameters
        ----------
        name : str, optional
            ``<project>.<date>T<time>`` unless it is given.
        kind : {"single-label", "multi-label", "detection", "brands"}, optional
            What the project's task or its labels ask for, unless it is named; what was chosen, and why, is said.
        budget : str or float, optional
            Wall time from the call on: "90s", "2min", "best" or seconds. Predicting the test images counts, or is
            announced with its expected time. Detectors get two minutes unless it is given; classifiers take a second
            or two, and are only fine-tuned if there is a budget.
        steps : int, optional
            Instead of a budget, as many steps as a former training had: the same seed then repeats it on CPU.
        base : str, optional
            A version to begin from, "latest" for the newest, if that does better on held-out images.
        backbone : str, optional
            See :func:`customlabels_nb.backbones`; the packaged one unless it is given.
        detector : str, optional
            One of torchvision's detectors by name, where the network allows to fetch it; our own unless it is given.
        input_size : int, optional
            Longer side in pixels of what a detector sees; from the sizes of the boxes unless it is given.
        seed : int
            The same seed on the same images gives the same model on a CPU with the same number of threads, which
            ``settings.threads`` fixes; a trial chooses it otherwise.
        device : str, optional
            "cuda", "mps" or "cpu"; the first of these that is here unless it is given.
        tags : dict, optional
            Key → value, both text.
        progress : bool or "bars"
            Show how it is going: a live view in notebooks, bars elsewhere; "bars" for bars anywhere.
        events : Events, optional
            Gets the progress; ``events.cancel()`` from another thread stops the run.
        callbacks : sequence of callables
            Called with each event: see :mod:`customlabels_nb.events`.

        Raises
        ------
        NotEnoughDataError, InputError, WeightsUnavailableError
            Before anything is trained, with the reason.
        """
        started = time.perf_counter()
        version = new_version_name(self._place, name)
        model = Model(self._place, version)
        with model._stoppable():
            from customlabels_nb.training.options import options_from
            from customlabels_nb.training.plan import make_plan, set_aside
            from customlabels_nb.training.run import train_version

            options = options_from(
                kind=kind, budget=budget, steps=steps, backbone=backbone, detector=detector, input_size=input_size,
                base=None if base is None else find_version(self._store, base), seed=seed, device=device,
            )  # fmt: skip
            tags = check_tags(tags or {})
            if not self._store.statistics(t.TEST).total_entries:
                make_plan(*set_aside(self.train_set), kind=kind, task=self.task)
                say(f"There is no test set yet: {self.distribute()}")
            colours = self.labels.colours
            with watch(events, show=progress, title=version, colours=colours, callbacks=callbacks) as stream:
                datasets = self.train_set, self.test_set
                train_version(self._store, self.root, version, *datasets, options, stream, tags=tags, started=started)
            model = self._models.setdefault(version, model)
            model.write_results()
        return model

    def model(self, name: str = "latest") -> Model:
        """A version by its name, by the name it was published under, or the latest whose training is complete."""
        found = find_version(self._store, name)
        return self._models.setdefault(found, Model(self._place, found))

    def compare(self, before: str, after: str = "latest", *, common: bool = False) -> Comparison:
        """What changed from one version to another, on the same test images; from what they kept, no model is run.

        Parameters
        ----------
        before, after : str
            Versions, as :meth:`model` takes them.
        common : bool
            Compare the test images that both had, where there are others.

        Raises
        ------
        InputError
            If the two were tested on other images, or on other tasks.
        """
        return self.model(before).evaluate().compare(self.model(after).evaluate(), common=common)

    # -- its life -----------------------------------------------------------------------------------
    def pack(
        self,
        path: str | os.PathLike[str],
        *,
        images: bool = True,
        versions: bool = True,
        progress: bool = True,
        events: Events | None = None,
    ) -> Packed:
        """Write all of it to a zip file, for ``cl.unpack_project`` elsewhere: a class, a colleague, an archive.

        Images that lie elsewhere are copied into it, remote ones stay URLs. Of a team's database the zip has a copy in
        a file, never its address.

        Parameters
        ----------
        path : path
            The file, which is replaced if it is there.
        images, versions : bool
            Take the pictures and the trained models along.
        """
        target = local_path(path, "path").absolute()
        with progress_bars(events or Events(), show=progress) as stream:
            return pack(self._place, target, images=images, versions=versions, events=stream)

    def rename(self, name: str) -> None:
        """Rename the project and its folder; its models go along. Refused while a version trains or runs."""
        rename_project(self._place, name, self._action("rename project"))

    def delete(self, *, confirm: bool = False) -> None:
        """Delete the project with its datasets and versions, for ever; asks unless ``confirm=True``.

        Images are only deleted where they lie in the project's own folder (uploads and copies). Refused, with the
        reason, while a version trains or runs.
        """
        refuse_if_busy(self._store, "deleted")
        require_confirmation(
            f"Delete the project {self.name!r} with its {len(self._store.versions())} versions?", confirm
        )
        delete_project(self._place)

    def close(self) -> None:
        """Stop running models and give the database back."""
        for model in self._models.values():
            with suppress(ModelNotFoundError):  # deleted meanwhile
                model.stop()
        self._store.close()
