"""Create, list, change and delete tags."""

from __future__ import annotations

from typing import Any

from customlabels_nb.endpoints.custom_vision.calls import Call
from customlabels_nb.endpoints.custom_vision.image_operations import untag
from customlabels_nb.endpoints.custom_vision.images import ImageList
from customlabels_nb.endpoints.custom_vision.records import (
    NEGATIVE,
    PRODUCT,
    REGULAR,
    Tag,
    action,
    changing_tags,
    find_tag,
    new_tag_facts,
    read_tags,
)
from customlabels_nb.errors import LabelError, ServiceError

_MOST_TAGS = 500


def get_tags(call: Call) -> list[dict[str, Any]]:
    """List the tags with the numbers of their images."""
    served = call.project()
    counts = ImageList(served).counts
    return [_described(tag, counts) for tag in read_tags(served)]


def get_tag(call: Call) -> dict[str, Any]:
    """Return a tag with the number of its images."""
    served = call.project()
    return _described(find_tag(served, call.path.text("tagId")), ImageList(served).counts)


def create_tag(call: Call) -> dict[str, Any]:
    """Create a tag. A regular one is a label of the project, a negative one says that no label applies."""
    served, name = call.project(), call.query.need("name")
    kind = call.query.choice("type", REGULAR, NEGATIVE, PRODUCT)
    description = call.query.text("description") or ""
    with changing_tags(served) as known:
        tags = read_tags(served)
        _check_name(tags, name)
        if kind != REGULAR and any(tag.type == kind for tag in tags):
            code = "BadRequestMultipleNegativeTag" if kind == NEGATIVE else "BadRequestMultipleGeneralProductTag"
            raise ServiceError(code, f"The project has a tag of type {kind} already.")
        if call.folder.options.service_limits and len(tags) >= _MOST_TAGS:
            raise ServiceError("BadRequestExceedTagPerProjectLimit", f"A project may have {_MOST_TAGS} tags.")
        if kind != NEGATIVE:
            _change_label(lambda: served.project._store.add_labels([(name, None)], action("add label")))
        known[name] = new_tag_facts(description, kind)
        return _described(Tag(name=name, **known[name]), {})


def update_tag(call: Call) -> dict[str, Any]:
    """Change the name, the description and the type of a tag."""
    served, body = call.project(), call.json()
    with changing_tags(served) as known:
        tag = find_tag(served, call.path.text("tagId"))
        name = body.need("name") if "name" in body else tag.name
        kind = body.choice("type", tag.type, REGULAR, NEGATIVE, PRODUCT)
        if (kind == NEGATIVE) != tag.is_negative:
            message = f"The tag is {tag.type} and cannot become {kind}. Create another tag."
            raise ServiceError("BadRequestTagType", message)
        if name != tag.name:
            _check_name(read_tags(served), name, but=tag)
            if not tag.is_negative:
                _change_label(lambda: served.project._store.rename_label(tag.name, name, action("rename label")))
            known.pop(tag.name, None)
        known[name] = {"id": tag.id, "description": body.text("description", tag.description) or "", "type": kind}
    return _described(Tag(name=name, **known[name]), ImageList(served).counts)


def delete_tag(call: Call) -> None:
    """Delete a tag, and remove it from its images."""
    served = call.project()
    with changing_tags(served) as known:
        tag = find_tag(served, call.path.text("tagId"))
        if tag.is_negative:
            images = ImageList(served)
            untag(images, images.with_tags([tag]), [tag])
        else:
            served.project._store.remove_label(tag.name, action("remove label"), with_annotations=True)
        known.pop(tag.name, None)


def _described(tag: Tag, counts: dict[str, int]) -> dict[str, Any]:
    return {
        "id": tag.id,
        "name": tag.name,
        "description": tag.description,
        "type": tag.type,
        "imageCount": counts.get(tag.id, 0),
    }


def _check_name(tags: list[Tag], name: str, but: Tag | None = None) -> None:
    if any(tag.name.casefold() == name.casefold() and tag != but for tag in tags):
        raise ServiceError("BadRequestTagNameNotUnique", f"The project has a tag {name[:100]!a} already.")


def _change_label(change: Any) -> None:
    try:
        change()
    except LabelError as error:
        raise ServiceError("BadRequestTagName", str(error)) from error
