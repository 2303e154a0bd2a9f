"""Copy a model version to another project, verifying each file's hash and keeping the status correct throughout."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from customlabels_nb._utils.files import replacing, why_not_written, write_whole
from customlabels_nb.core import version_status
from customlabels_nb.errors import ArtifactError, InputError, NotAllowedError
from customlabels_nb.events import Events
from customlabels_nb.images.locations import is_remote, local_path, to_path, to_uri
from customlabels_nb.models.artifact import load_config
from customlabels_nb.project.location import ProjectLocation, new_version_name, open_project_store
from customlabels_nb.project.model_card import CARD
from customlabels_nb.store import Action, VersionRecord
from customlabels_nb.training.kept_files import has_predictions, relocated_files
from customlabels_nb.training.recipe import CHECKPOINTS
from customlabels_nb.training.status import COPYING, honest_status, remove_folder, settle_orphans, this_process
from customlabels_nb.user_settings import settings

EVALUATION = "evaluation"
_CHUNK = 1 << 20


def location_of(project: object) -> ProjectLocation:
    """Return the location of a project, given the project or its folder."""
    location = getattr(project, "_location", None)
    if isinstance(location, ProjectLocation):
        return location
    if not isinstance(project, str | os.PathLike):
        raise InputError(f"project={project!r} is not a project. Pass a project or its folder.")
    root = local_path(project, "project").absolute()
    store = open_project_store(root)
    settle_orphans(store)
    return ProjectLocation(root, store)


def copy_version(
    source: ProjectLocation, record: VersionRecord, target: ProjectLocation, name: str | None, events: Events
) -> str:
    """Copy a version to a project and return its name there.

    Evaluation files and the model card contain the project's name. They are not copied if they can be recreated. A
    failed copy of that name is replaced. A partial copy is deleted and the reason is stored in its status.
    """
    folder = source.root / record.folder
    if folder.is_symlink() or folder.resolve().parent != source.root.resolve() / "versions":
        raise NotAllowedError(f"{str(folder)!r} is not a version folder of {str(source.root)!r}. Nothing was copied.")
    files = list(_files(folder))
    load_config(folder)
    chosen = _name_for_copy(target, record.name if name is None else name)
    now = datetime.now(UTC)
    origin = source.store.project().name
    copy = replace(
        record,
        name=chosen,
        status=version_status.COPYING,
        status_message=f"The model is being copied from {origin!r}.",
        folder=f"versions/{chosen}",
        created=now,
        updated=now,
        alias=None,
        config={name: value for name, value in record.config.items() if name != "base"},  # another one may be called so
        statistics=record.statistics | {"label_ids": _label_ids(source, record, target)},
        endpoint={},
        **this_process(),
    )
    target.store.add_version(copy, Action("begin copying version", settings.user, chosen))
    with honest_status(target.store, chosen, COPYING):
        to = target.root / copy.folder
        try:
            changed = _relocated(folder, source.root, target.root)
            _copy_files(folder, to, files, changed, events)
        except BaseException:
            remove_folder(to, target.root)
            raise
        target.store.update_version(
            chosen,
            Action("copy version", settings.user, chosen),
            status="COPYING_COMPLETED",
            status_message=f"The model was copied from {origin!r} and is ready to run.",
        )
    return chosen


def _label_ids(source: ProjectLocation, record: VersionRecord, target: ProjectLocation) -> dict[str, int]:
    """Return the ids that the labels of a version have in another project, by their names now."""
    ids = target.store.label_ids()
    names = source.store.current_labels(record.statistics.get("label_ids", {}))
    return {label: ids[name] for label, name in names.items() if name in ids}


def _name_for_copy(target: ProjectLocation, name: str) -> str:
    """Return ``name`` if it is free, after deleting a failed copy of that name."""
    failed = [version for version in target.store.versions() if version.name == name]
    if failed and failed[0].status == version_status.FAILED_COPYING:
        remove_folder(target.root / failed[0].folder, target.root)
        target.store.delete_version(name, Action("delete version", settings.user, name))
    return new_version_name(target, name)


def _files(folder: Path) -> Iterator[PurePosixPath]:
    """Yield the files to copy, relative to ``folder``."""
    rebuilt = {CARD, *([EVALUATION] if has_predictions(folder, "test") else [])}
    for parent, folders, names in os.walk(folder):
        inside = Path(parent).relative_to(folder)
        for name in sorted([*folders, *names]):
            if (Path(parent) / name).is_symlink():
                raise ArtifactError(
                    f"{os.fspath(inside / name)!r} in {str(folder)!r} is a link. Replace it with its target."
                )
        top = inside == Path(".")
        folders[:] = sorted(name for name in folders if not top or name not in (*rebuilt, CHECKPOINTS))
        for name in sorted(names):
            half_written = name.startswith(".") and name.endswith(".part")
            if not half_written and not (top and name in rebuilt):
                yield PurePosixPath((inside / name).as_posix())


def _relocated(folder: Path, source: Path, target: Path) -> dict[str, bytes]:
    """Return new contents for the files that contain image names, with the image names in the target project."""
    try:
        listed = json.loads((folder / "images.json").read_text("utf-8")) if (folder / "images.json").is_file() else {}
        names = {image: _name_in_target(image, source, target) for images in listed.values() for image in images}
        moved = {image: new for image, new in names.items() if new != image}
        return relocated_files(folder, moved) if moved else {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise ArtifactError(f"The snapshots in {str(folder)!r} are damaged ({error}). Nothing was copied.") from error


def _name_in_target(image: str, source: Path, target: Path) -> str:
    """Return the name of an image in the target project: relative if inside the project folder, absolute otherwise."""
    if is_remote(image):
        return image
    path = Path(os.path.abspath(to_path(image, source)))
    uri = to_uri(path)
    if uri.startswith("file:") or not path.is_relative_to(target):
        return uri
    return path.relative_to(target).as_posix()


def _copy_files(
    folder: Path, to: Path, files: list[PurePosixPath], changed: Mapping[str, bytes], events: Events
) -> None:
    try:
        total, done = sum((folder / name).stat().st_size for name in files), 0
        for name in files:
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            content = changed.get(str(name))
            if content is not None:
                write_whole(to / name, content)
                done += (folder / name).stat().st_size
                continue
            written = hashlib.sha256()
            with (folder / name).open("rb") as original, replacing(to / name) as copy:
                while chunk := original.read(_CHUNK):
                    written.update(chunk)
                    copy.write(chunk)
                    done += len(chunk)
                    events.progress("copying", done // _CHUNK, max(total, done) // _CHUNK, unit="MB")
            with (to / name).open("rb") as copied:
                if hashlib.file_digest(copied, "sha256").digest() != written.digest():
                    raise ArtifactError(f"The copy {str(to / name)!r} differs from what was written. Check the disk.")
    except OSError as error:
        raise ArtifactError(f"Cannot copy {str(folder)!r} to {str(to)!r}: {why_not_written(error)}.") from error
