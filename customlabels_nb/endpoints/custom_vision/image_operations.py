"""Add, list, tag and delete images, and serve their files."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pandas as pd
import PIL.Image

from customlabels_nb._utils.files import scratch, write_whole
from customlabels_nb.core import tables as t
from customlabels_nb.endpoints.custom_vision.calls import Call, RequestFields, json_answer, moment
from customlabels_nb.endpoints.custom_vision.ids import project_id
from customlabels_nb.endpoints.custom_vision.images import (
    SIDES,
    ImageList,
    add_marks,
    list_images,
    region_id,
    remove_marks,
)
from customlabels_nb.endpoints.custom_vision.iterations import find_iteration
from customlabels_nb.endpoints.custom_vision.project_records import ProjectTag, action, is_detection, task_of
from customlabels_nb.endpoints.http_messages import Answer
from customlabels_nb.endpoints.project_folders import ServedProject
from customlabels_nb.errors import ImageError, ImageTooLargeError, ServiceError
from customlabels_nb.images.decoding import file_suffix, opened
from customlabels_nb.images.reading import ImageFacts, examine, hashed, read_bytes
from customlabels_nb.images.thumbnails import thumbnail_of
from customlabels_nb.remote.content_cache import project_cache
from customlabels_nb.remote.memory_budget import Hold, image_memory
from customlabels_nb.remote.remote_files import read

WEB = "http://", "https://"  # starts of URLs. Others, such as simplecache::https://, would be read through fsspec

_MOST_BYTES, _MOST_SIDE = 6 * 2**20, 10_240  # of the service, with service_limits only
_MOST_IMAGE_TAGS, _MOST_REGIONS = 100, 300
_BATCH = 64
#: Time in which the images of a request must have arrived if it gives their URLs.
DOWNLOAD_SECONDS = 60.0
_DOWNLOADS = 8
_examining = threading.Semaphore(4)  # an image of a few bytes may take much memory when it is decoded
_ROUNDING = 1e-3  # by which a box may reach beyond the image
_KEY = ["image", "label", *t.BOX_COLUMNS]
_Mark = tuple[ProjectTag, tuple[float, ...]]
_MIXED = "ErrorNegativeAndRegularTagOnSameImage"
_TAGGED, _UNTAGGED, _ALL = "Tagged", "Untagged", "All"


@dataclass(frozen=True)
class Upload:
    """Image to add: its bytes or the URL that they come from, and its tags and regions.

    ``status`` says why the image will not be added, if that is known already.
    """

    source: str
    tags: Sequence[ProjectTag] = ()
    regions: Sequence[tuple[ProjectTag, tuple[float, float, float, float]]] = ()
    data: bytes = b""
    url: str | None = None
    status: str = ""


@dataclass(frozen=True)
class _Prepared:
    """Upload with the status of an image that cannot be added, or with a temporary file of the image and its facts."""

    upload: Upload
    status: str = ""
    facts: ImageFacts | None = None
    file: Path = Path()


# -- lists ----------------------------------------------------------------------------------------------
def get_images(call: Call) -> list[dict[str, Any]]:
    return _list(call, call.query.choice("taggingStatus", _ALL, _TAGGED, _UNTAGGED))


def get_tagged_images(call: Call) -> list[dict[str, Any]]:
    return _list(call, _TAGGED)


def get_untagged_images(call: Call) -> list[dict[str, Any]]:
    return _list(call, _UNTAGGED)


def get_image_count(call: Call) -> int:
    return len(_chosen(call, call.query.choice("taggingStatus", _ALL, _TAGGED, _UNTAGGED))[1])


def get_tagged_image_count(call: Call) -> int:
    return len(_chosen(call, _TAGGED)[1])


def get_untagged_image_count(call: Call) -> int:
    return len(_chosen(call, _UNTAGGED)[1])


def get_images_by_ids(call: Call) -> list[dict[str, Any]]:
    """Return images by their ids, or all if none are given."""
    images = list_images(_project(call))
    ids = call.query.ids("imageIds")
    names = [images.by_id[id_] for id_ in ids if id_ in images.by_id]
    return images.describe(call, names if ids else page(call, images.images["image"].tolist()))


def page(call: Call, names: list[str]) -> list[str]:
    """Return a page of images, which are given oldest first."""
    if call.query.choice("orderBy", "Newest", "Oldest", "Suggested") != "Oldest":
        names = names[::-1]
    skip, take = call.query.count("skip", 0, 0, 2**31), call.query.count("take", 50, 0, 256)
    return names[skip : skip + take]


def _list(call: Call, tagging: str) -> list[dict[str, Any]]:
    images, names = _chosen(call, tagging)
    return images.describe(call, page(call, names))


def _chosen(call: Call, tagging: str) -> tuple[ImageList, list[str]]:
    images = list_images(_project(call))
    tags = images.find_tags(call.query.ids("tagIds"))
    names = images.images["image"].tolist()
    if tags:
        with_tags = images.with_tags(tags)
        names = [name for name in names if name in with_tags]
    if tagging != _ALL:
        names = [name for name in names if (name in images.tagged) == (tagging == _TAGGED)]
    return images, names


def _project(call: Call) -> ServedProject:
    """Return the project of a request that may name an iteration, whose images are those of the project now."""
    served = call.project()
    if "iterationId" in call.query:
        find_iteration(served, call.query.id("iterationId"))
    return served


# -- adding ---------------------------------------------------------------------------------------------
def create_images_from_data(call: Call) -> Answer:
    served, files = call.project(), call.files()
    if not files:
        raise ServiceError("BadRequestImageStream", "The body has no image.")
    if len(files) > _BATCH:
        message = f"The request has {len(files)} images, but at most {_BATCH} are allowed."
        raise ServiceError("BadRequestExceededBatchSize", message)
    tags = ImageList(served, []).find_tags(call.query.ids("tagIds"), "BadRequestImageTags")
    return add_images(call, served, [Upload(name, tags, data=data) for name, data in files])


def create_images_from_files(call: Call) -> Answer:
    """Add images that the request has in base64."""
    return add_batch(call, lambda entry: Upload(entry.text("name") or "", data=entry.data("contents")))


def create_images_from_urls(call: Call) -> Answer:
    return add_batch(call, lambda entry: Upload(entry.need("url"), url=entry.need("url")))


def add_batch(call: Call, read: Callable[[RequestFields], Upload]) -> Answer:
    """Add the images in a JSON body, each as ``read`` finds it, with the tags and regions in the body."""
    served, body = call.project(), call.json()
    entries = body.parts("images", _BATCH)
    if not entries:
        raise ServiceError("BadRequestImageBatch", "images is empty. Pass at least one image.")
    images = ImageList(served, [])
    common = images.find_tags(body.ids("tagIds"), "BadRequestImageTags")
    uploads = []
    for entry in entries:
        upload = read(entry)
        try:
            tags = list(dict.fromkeys([*common, *images.find_tags(entry.ids("tagIds"))]))
            parts = entry.parts("regions", 10_000)
            regions = [(images.find_tags([region.id("tagId")])[0], box(region)) for region in parts]
            uploads.append(replace(upload, tags=tags, regions=regions))
        except ServiceError as error:
            if error.code != "BadRequestInvalidIds":
                raise
            uploads.append(replace(upload, status="ErrorInvalidTag"))
    return add_images(call, served, uploads)


def add_images(call: Call, served: ServedProject, uploads: Sequence[Upload]) -> Answer:
    """Add images as one action, and answer with the status of each. Known images get the tags and regions they lack."""
    if any(upload.regions for upload in uploads) and not is_detection(served):
        raise ServiceError("BadRequestImageRegions", "Only projects that detect objects have regions.")
    limited, most = call.folder.options.service_limits, _most_tags(call, served)
    until = time.monotonic() + DOWNLOAD_SECONDS
    with scratch(served.project.root) as folder, ThreadPoolExecutor(_DOWNLOADS) as pool:
        prepare = partial(_prepare, folder=folder, until=until, most_tags=most, limited=limited)
        return _add_prepared(served, call, list(pool.map(prepare, uploads)))


def _most_tags(call: Call, served: ServedProject) -> int | None:
    """Return the maximum number of tags of an image, or None if there is none."""
    if task_of(served) == t.SINGLE_LABEL:
        return 1
    return _MOST_IMAGE_TAGS if call.folder.options.service_limits else None


def _add_prepared(served: ServedProject, call: Call, prepared: Sequence[_Prepared]) -> Answer:
    """Add the images that the project does not have yet, the tags and regions that the others lack, and answer."""
    with served.lock:
        names, new = _named(served, prepared)
        listed = [name for name in dict.fromkeys(names) if name]
        marks = _NewMarks(call, served, [name for name in listed if name not in new])
        statuses = [each.status or marks.add(name, _marks_of(each)) for each, name in zip(prepared, names, strict=True)]
        if new:
            _store_images(served, new, marks)
        add_marks(served, *marks.of(name for name in marks.added if name not in new))
        described = dict(zip(listed, ImageList(served, listed).describe(call, listed), strict=True))
    results = [
        {
            "sourceUrl": each.upload.source,
            "status": status if _is_error(status) else "OK" if new.get(name) is each else "OKDuplicate",
            "image": None if _is_error(status) else described[name],
        }
        for each, status, name in zip(prepared, statuses, names, strict=True)
    ]
    fine = not any(map(_is_error, statuses))
    return json_answer({"isBatchSuccessful": fine, "images": results}, 200 if fine else 207)


def _is_error(status: str) -> bool:
    return status.startswith("Error")


def _named(served: ServedProject, prepared: Sequence[_Prepared]) -> tuple[list[str], dict[str, _Prepared]]:
    """Return the image of each upload, or "" without one, and the uploads of images that are new, by their names."""
    files = served.store.files()[0]
    by_hash = dict(zip(files["sha256"], files["image"], strict=True))
    new: dict[str, _Prepared] = {}
    for each in prepared:
        if each.facts is not None and (sha256 := each.facts.sha256) not in by_hash:
            by_hash[sha256] = f"images/{sha256[:32]}{each.file.suffix}"
            new[by_hash[sha256]] = each
    return ["" if each.facts is None else by_hash[each.facts.sha256] for each in prepared], new


class _NewMarks:
    """Tags and regions that images get, in :attr:`added` with the box in pixels, or () without one."""

    def __init__(self, call: Call, served: ServedProject, known: Sequence[str]) -> None:
        images = ImageList(served, known)
        self.added = defaultdict[str, list[_Mark]](list)
        self._most_tags, self._limited = _most_tags(call, served), call.folder.options.service_limits
        self._marks = defaultdict[str, set[_Mark]](set)  # of the known images, and those that are added
        tags = {tag.name: tag for tag in images.tags}
        for tag in images.tags:
            for name in images.with_tags([tag]):
                self._marks[name].add((tag, ()))
        drawn = images.marks.loc[images.marks["left"].notna() & images.marks["label"].isin(tags), _KEY]
        for name, label, *pixels in drawn.itertuples(index=False, name=None):
            self._marks[name].add((tags[label], tuple(pixels)))

    def add(self, name: str, marks: Sequence[_Mark]) -> str:
        """Add what an image lacks, and return "created" or "duplicated", or a status if the image cannot have it."""
        new = [mark for mark in marks if mark not in self._marks[name]]
        if not new:
            return "duplicated"
        after = self._marks[name].union(new, ((tag, ()) for tag, _ in new))
        regions = sum(bool(pixels) for _, pixels in after)
        if status := _refusal({tag for tag, _ in after}, regions, 0, self._most_tags, self._limited):
            return status
        self._marks[name] = after
        self.added[name] += new
        return "created"

    def of(self, images: Iterable[str]) -> tuple[pd.DataFrame, list[str]]:
        """Return the annotations that images get, and the images that get a negative tag."""
        marks = [(name, tag, pixels) for name in images for tag, pixels in self.added[name]]
        rows = [(name, tag.name, *(pixels or [None] * 4)) for name, tag, pixels in marks if not tag.is_negative]
        table = t.normalise_annotations(pd.DataFrame(rows, columns=_KEY), annotator=action("").who)
        return table, [name for name, tag, _ in marks if tag.is_negative]


def _marks_of(each: _Prepared) -> list[_Mark]:
    """Return the tags and regions of an upload, each once. A region with a negative tag is a tag of the image."""
    upload, facts = each.upload, each.facts
    assert facts is not None
    size = facts.width, facts.height
    regions = [(tag, () if tag.is_negative else to_pixels(shares, size)) for tag, shares in upload.regions]
    return list(dict.fromkeys([*((tag, ()) for tag in upload.tags), *regions]))


def _store_images(served: ServedProject, new: Mapping[str, _Prepared], marks: _NewMarks) -> None:
    """Move the files of images into the project, under their names there, and add them with their tags and regions."""
    rows = []
    for name, each in new.items():
        upload, facts, path = each.upload, each.facts, served.project.root / name
        assert facts is not None
        path.parent.mkdir(exist_ok=True)
        each.file.replace(path)
        status = "labelled" if marks.added[name] else "unlabelled"
        source = (upload.url or "Custom Vision endpoint")[:1000]
        facts_of_file = facts.bytes, path.stat().st_mtime_ns
        rows.append((name, status, facts.width, facts.height, facts.sha256, source, *facts_of_file))
    columns = ["image", "status", "width", "height", "sha256", "source", "bytes", "mtime_ns"]
    table = pd.DataFrame(rows, columns=columns)
    images, files = t.normalise_images(table[columns[:6]], split=t.TRAIN), table[["image", "bytes", "mtime_ns"]]
    annotations, _ = marks.of(new)
    served.store.add_images(t.TRAIN, images, annotations, action("add images"), files=files)


def to_pixels(shares: Sequence[float], size: Sequence[float]) -> tuple[float, ...]:
    return tuple(share * side for share, side in zip(shares, [*size, *size], strict=True))


def box(region: RequestFields) -> tuple[float, float, float, float]:
    """Return left, top, width and height of a region, within the image, or raise ServiceError."""
    left, top, width, height = (region.number(name, -1.0, -_ROUNDING, 1 + _ROUNDING) for name in t.BOX_COLUMNS)
    right, bottom = left + width, top + height
    if min(width, height) <= 0 or min(left, top) < -_ROUNDING or max(right, bottom) > 1 + _ROUNDING:
        message = "A region must be within the image: left, top, width and height are fractions from 0 to 1."
        raise ServiceError("BadRequestImageRegions", message)
    left, top = max(left, 0.0), max(top, 0.0)
    return left, top, min(right, 1.0) - left, min(bottom, 1.0) - top


def _prepare(upload: Upload, *, folder: Path, until: float, most_tags: int | None, limited: bool) -> _Prepared:
    """Check an image, and write one that can be added to a file in ``folder``."""
    with image_memory.share() as hold:
        data = upload.data
        try:
            if upload.url is not None and not upload.status:
                data = read_url(upload.url, _MOST_BYTES if limited else image_memory.limit, hold, until)
        except ImageError as error:
            return _Prepared(upload, "ErrorImageSize" if isinstance(error, ImageTooLargeError) else "ErrorSource")
        tags = {*upload.tags, *(tag for tag, _ in upload.regions)}
        if status := upload.status or _refusal(tags, len(upload.regions), len(data), most_tags, limited):
            return _Prepared(upload, status)
        try:
            with _examining:
                facts = hashed(data, examine(data, "image"))
        except ImageError as error:
            too_large = isinstance(error, ImageTooLargeError)
            return _Prepared(upload, "ErrorImageDimensions" if too_large else "ErrorImageFormat")
        if limited and max(facts.width, facts.height) > _MOST_SIDE:
            return _Prepared(upload, "ErrorImageDimensions")
        file = folder / f"{uuid4().hex}{file_suffix(data, upload.source)}"
        write_whole(file, data)
    return _Prepared(replace(upload, data=b""), facts=facts, file=file)


def read_url(url: str, most: int, hold: Hold, until: float) -> bytes:
    """Download an image of at most ``most`` bytes, until a time of the monotonic clock, or raise ImageError."""
    if not url.lower().startswith(WEB):
        raise ImageError(url, "The URL must begin with http:// or https://.")
    return read(url, None, most, hold=hold, seconds=until - time.monotonic())


def _refusal(tags: set[ProjectTag], regions: int, size: int, most_tags: int | None, limited: bool) -> str:
    """Return the status of an image that cannot have these tags, regions or bytes, by the first rule, or ""."""
    rules = (
        (_MIXED, len({tag.is_negative for tag in tags}) > 1),
        ("ErrorTagLimitExceed", most_tags is not None and len(tags) > most_tags),
        ("ErrorRegionLimitExceed", limited and regions > _MOST_REGIONS),
        ("ErrorImageSize", limited and size > _MOST_BYTES),
    )
    return next((status for status, applies in rules if applies), "")


# -- tags and regions -----------------------------------------------------------------------------------
def create_image_tags(call: Call) -> dict[str, Any]:
    """Add tags to images. Images of a Multiclass project have one tag."""
    served = call.project()
    entries = call.json().parts("tags", _BATCH)
    if not entries:
        raise ServiceError("BadRequestImageTags", "tags is empty. Pass at least one pair of imageId and tagId.")
    answer: dict[str, list[Any]] = {"created": [], "duplicated": [], "exceeded": []}
    with served.lock:
        images = ImageList(served)
        pairs = [(images.find([e.id("imageId")])[0], images.find_tags([e.id("tagId")])[0]) for e in entries]
        marks = _NewMarks(call, served, list(dict.fromkeys(name for name, _ in pairs)))
        for entry, (name, tag) in zip(entries, pairs, strict=True):
            item = {"imageId": entry.id("imageId"), "tagId": tag.id}
            verdict = marks.add(name, [(tag, ())])
            if verdict == _MIXED:
                code = "BadRequestNegativeAndRegularTagOnSameImage"
                raise ServiceError(code, f"The image {item['imageId']} cannot have a negative tag and another tag.")
            answer["exceeded" if _is_error(verdict) else verdict].append(item)
        add_marks(served, *marks.of(marks.added))
    return answer


def delete_image_tags(call: Call) -> None:
    """Remove tags from images, with their regions."""
    served, ids = call.project(), call.query.ids("imageIds")
    with served.lock:
        images = ImageList(served)
        names, tags = images.find(ids), images.find_tags(call.query.ids("tagIds"))
        if not (names and tags):
            raise ServiceError("BadRequestInvalidIds", "imageIds and tagIds must each have at least one id.")
        untag(images, set(names), tags)


def untag(images: ImageList, names: set[str], tags: Sequence[ProjectTag]) -> None:
    """Remove tags from images that have them."""
    labels = [tag.name for tag in tags if not tag.is_negative]
    chosen = [name for name in names if name in images.with_tags(tags)]
    remove_marks(images.served, chosen, lambda annotations: annotations["label"].isin(labels))


def create_image_regions(call: Call) -> dict[str, Any]:
    """Add regions to images of a project that detects objects."""
    served, entries = call.project(), call.json().parts("regions", _BATCH)
    if not is_detection(served):
        raise ServiceError("BadRequestImageRegions", "Only projects that detect objects have regions.")
    if not entries:
        raise ServiceError("BadRequestImageRegions", "regions is empty. Pass at least one region.")
    answer: dict[str, list[Any]] = {"created": [], "duplicated": [], "exceeded": []}
    with served.lock:
        images = ImageList(served)
        pairs = [(images.find([e.id("imageId")])[0], images.find_tags([e.id("tagId")])[0]) for e in entries]
        marks = _NewMarks(call, served, list(dict.fromkeys(name for name, _ in pairs)))
        sizes = images.images.set_index("image")[["width", "height"]]
        for entry, (name, tag) in zip(entries, pairs, strict=True):
            if tag.is_negative or name in images.negatives:
                code = "BadRequestNegativeAndRegularTagOnSameImage"
                raise ServiceError(code, "A negative tag cannot be on a region, or on an image with regions.")
            if sizes.loc[name].isna().any():
                message = f"The size of the image {entry.id('imageId')} is not known yet."
                raise ServiceError("BadRequestImageRegions", message)
            shares = box(entry)
            pixels = to_pixels(shares, sizes.loc[name].tolist())
            item = {"imageId": entry.id("imageId"), "tagId": tag.id, **dict(zip(t.BOX_COLUMNS, shares, strict=True))}
            verdict = marks.add(name, [(tag, pixels)])
            if verdict == "created":
                id_ = region_id(project_id(served), name, tag.id, 0, *pixels)
                item |= {"regionId": id_, "tagName": tag.name, "created": moment(time.time())}
            answer["exceeded" if _is_error(verdict) else verdict].append(item)
        add_marks(served, *marks.of(marks.added))
    return answer


def delete_image_regions(call: Call) -> None:
    """Remove regions. Those that are gone already are left out."""
    served, ids = call.project(), call.query.ids("regionIds")
    if not ids:
        raise ServiceError("BadRequestInvalidIds", "regionIds is empty. Pass at least one id.")
    with served.lock:
        drawn = ImageList(served).drawn()
        gone = drawn[drawn["id"].isin(ids)]
        keys = pd.MultiIndex.from_frame(gone[_KEY])
        remove_marks(served, gone["image"].unique().tolist(), lambda table: table.set_index(_KEY).index.isin(keys))


# -- deleting and files ---------------------------------------------------------------------------------
def delete_images(call: Call) -> Answer | None:
    """Delete images from the project. Their files stay, so that a notebook can undo it."""
    served, ids = call.project(), call.query.ids("imageIds")
    every = call.query.flag("allImages")
    if not ids and not every:
        raise ServiceError("BadRequestInvalidIds", "imageIds is empty. Pass ids, or allImages=true.")
    with served.lock:
        images = ImageList(served)
        names = set(images.images["image"]) if every else {images.by_id[id_] for id_ in ids if id_ in images.by_id}
        for split, rows in images.images.groupby("split"):
            chosen = rows.loc[rows["image"].isin(names), ["image", "revision"]].reset_index(drop=True)
            if len(chosen):
                served.store.remove_images(str(split), chosen, action("remove images"))
    if every or call.query.flag("allIterations"):
        return Answer(202, {"Content-Length": "0"}, b"")
    return None


def get_file(call: Call) -> Answer:
    """Return the file of an image, as it was sent or smaller. The signature in its address takes the place of a key."""
    parts = [(call.path.text(name) or "") for name in ("projectId", "imageId", "kind")]
    served = call.signed_project(*parts)
    root, images = served.project.root, list_images(served)
    name = images.by_id.get(parts[1])
    if name is None:
        raise ServiceError("NotFoundImage", "The image was deleted.")
    try:
        if parts[2] == "original":
            data = read_bytes(name, root)
            with opened(data, name) as image:
                mime = PIL.Image.MIME.get(image.format or "", "application/octet-stream")
        else:
            sha256 = images.images.loc[images.images["image"] == name, "sha256"].item()
            content = None if pd.isna(sha256) else str(sha256)
            data = thumbnail_of(
                name, root=root, sha256=content, size=SIDES[parts[2]], cache=project_cache(root, "thumbnails")
            )
            mime = "image/jpeg"
    except ImageError as error:
        raise ServiceError("NotFoundImage", error.reason or "The image cannot be read.") from error
    return Answer(200, {"Content-Type": mime, "Content-Length": str(len(data))}, data)
