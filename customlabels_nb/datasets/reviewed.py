"""Manage the tag :data:`REVIEWED`, which marks images whose annotations were reviewed after labelling.

The tag applies to the image's current annotations. Changing the annotations or the status without a review removes the
tag, but renaming a label does not. The history records who set the tag and when (action "approve" or "correct to …").
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from customlabels_nb.core import tables as t

REVIEWED = "reviewed"
#: Tags of images whose prelabel was accepted, corrected or rejected. Rejected ones are not prelabelled again.
PRELABELLED, CORRECTED, REJECTED = "prelabelled", "prelabel-corrected", "prelabel-rejected"
#: Tag of test images whose ground truth was corrected on a screen that shows their predictions.
SEEN = "corrected-after-predictions"
_TRUTH = ["image", "label", *t.BOX_COLUMNS, "polygon", "crowd"]


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
    """Remove the tag where an edit has changed more of the annotations than notes, or the status.

    It stays if the edit itself sets it.
    """
    if not any(REVIEWED in tags for tags in old_images["tags"].tolist()):
        return images
    was = _states(old_images[has_tag(old_images)], old_annotations)
    now = _states(images[images["image"].isin(was)], annotations)
    changed = [name in was and now[name] != was[name] for name in images["image"]]
    return without_review(images, pd.Series(changed, index=images.index, dtype=bool))


def tag_corrected(
    images: pd.DataFrame,
    annotations: pd.DataFrame,
    old_images: pd.DataFrame,
    old_annotations: pd.DataFrame,
    seen: Sequence[bool],
    originals: dict[str, object],
) -> pd.DataFrame:
    """Add the tag :data:`SEEN` where an edit has changed the ground truth of images whose predictions were shown.

    It is removed where the change is taken back by hand. The ground truth is the status, labels, boxes and polygons.
    ``originals`` has that of each image before it got the tag. It is kept by the caller and extended here.
    """
    if not any(seen):
        return images
    was, now = _states(old_images, old_annotations[_TRUTH]), _states(images, annotations[_TRUTH])
    originals |= {name: was[name] for name in old_images.loc[~has_tag(old_images, SEEN), "image"]}
    changed = [now[name] != originals.get(name) for name in images["image"]]
    corrected, restored = np.logical_and(seen, changed), np.logical_and(seen, np.logical_not(changed))
    return with_review(without_review(images, restored, SEEN), corrected, SEEN)


def _states(images: pd.DataFrame, annotations: pd.DataFrame) -> dict[str, object]:
    """Return status and annotations by image, without notes, for comparison."""
    from customlabels_nb.store.frames import annotation_keys

    own = annotations[annotations["image"].isin(images["image"])]
    keys = annotation_keys(own.drop(columns="note", errors="ignore"))
    return {name: (status, keys.get(name)) for name, status in zip(images["image"], images["status"], strict=True)}


def had_prelabel(images: pd.DataFrame) -> pd.Series:
    """Return a mask of the images that were labelled while a model's predictions were shown."""
    return has_tag(images, PRELABELLED) | has_tag(images, CORRECTED) | has_tag(images, REJECTED)


def has_tag(images: pd.DataFrame, tag: str = REVIEWED) -> pd.Series:
    """Return a mask of the images with the tag."""
    return pd.Series([tag in tags for tags in images["tags"]], index=images.index, dtype=bool)
