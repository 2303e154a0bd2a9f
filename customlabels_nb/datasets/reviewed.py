"""Manage the tag :data:`REVIEWED`, which marks images whose annotations were reviewed after labelling.

The tag applies to the image's current annotations. Changing the annotations or the status without a review removes the
tag, but renaming a label does not. The history records who set the tag and when (action "approve" or "correct to …").
"""

from __future__ import annotations

import pandas as pd

REVIEWED = "reviewed"
#: Tags of images whose prelabel was accepted, corrected or rejected. Rejected ones are not prelabelled again.
PRELABELLED, CORRECTED, REJECTED = "prelabelled", "prelabel-corrected", "prelabel-rejected"


def is_reviewed(images: pd.DataFrame) -> pd.Series:
    """Return a mask of the images whose annotations have been reviewed."""
    return has_tag(images) & (images["status"] == "labelled")


def with_review(images: pd.DataFrame, mask: pd.Series, tag: str = REVIEWED) -> pd.DataFrame:
    """Return the images table with the tag added to the images selected by ``mask``."""
    tags = [
        [*existing, tag] if chosen and tag not in existing else existing
        for existing, chosen in zip(images["tags"], mask, strict=True)
    ]
    return images.assign(tags=pd.Series(tags, index=images.index, dtype=object))


def without_review(images: pd.DataFrame, mask: pd.Series, tag: str = REVIEWED) -> pd.DataFrame:
    """Return the images table with the tag removed from the images selected by ``mask``."""
    tags = [
        [other for other in existing if other != tag] if chosen and tag in existing else existing
        for existing, chosen in zip(images["tags"], mask, strict=True)
    ]
    return images.assign(tags=pd.Series(tags, index=images.index, dtype=object))


def forget_where_changed(
    images: pd.DataFrame, annotations: pd.DataFrame, old_images: pd.DataFrame, old_annotations: pd.DataFrame
) -> pd.DataFrame:
    """Remove the tag where an edit has changed annotations or status, unless the edit itself sets it."""
    if not any(REVIEWED in tags for tags in old_images["tags"].tolist()):
        return images
    tagged = has_tag(old_images)
    was = dict(zip(old_images.loc[tagged, "image"], old_images.loc[tagged, "status"], strict=True))
    was_reviewed = images["image"].isin(was)
    from customlabels_nb.store.frames import annotation_keys

    names = set(images.loc[was_reviewed, "image"])
    keys, old_keys = (annotation_keys(table[table["image"].isin(names)]) for table in (annotations, old_annotations))
    changed = [
        name in names and (status != was[name] or keys.get(name) != old_keys.get(name))
        for name, status in zip(images["image"], images["status"], strict=True)
    ]
    return without_review(images, pd.Series(changed, index=images.index, dtype=bool))


def had_prelabel(images: pd.DataFrame) -> pd.Series:
    """Return a mask of the images that were labelled while a model's predictions were shown."""
    return has_tag(images, PRELABELLED) | has_tag(images, CORRECTED) | has_tag(images, REJECTED)


def has_tag(images: pd.DataFrame, tag: str = REVIEWED) -> pd.Series:
    """Return a mask of the images with the tag."""
    return pd.Series([tag in tags for tags in images["tags"]], index=images.index, dtype=bool)
