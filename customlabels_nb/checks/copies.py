"""The same picture, or nearly the same, on both sides, with different labels, or more than once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from customlabels_nb._utils.text import counted
from customlabels_nb.checks.findings import Finding, rows_of
from customlabels_nb.checks.image_fingerprints import Fingerprints
from customlabels_nb.checks.near_duplicates import SAME, near_duplicates
from customlabels_nb.core import tables as t
from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.datasets.splitting import groups_of_pairs
from customlabels_nb.events import Events

#: The columns of a table of near-duplicates.
PAIR_COLUMNS = {
    "image": "str", "other": "str", "similarity": "float64", "split": "str", "other_split": "str",
    "labels": "object", "other_labels": "object",
}  # fmt: skip


@dataclass(frozen=True)
class Pictures:
    """The images of one or two datasets in one row.

    Attributes
    ----------
    images : DataFrame
        ``image``, ``split``, ``content`` (null where it isn't known), ``labels`` (a tuple each).
    """

    images: pd.DataFrame

    @classmethod
    def of(cls, datasets: Sequence[Dataset], contents: Sequence[Sequence[str | None]]) -> Pictures:
        """Those of these datasets, of which each image has this content now."""
        parts = [
            pd.DataFrame({
                "image": dataset.images["image"], "split": dataset.name, "content": pd.Series(list(own), dtype="str"),
                "labels": [tuple(sorted(set(names))) for names in dataset.labels_of_images()],
            })
            for dataset, own in zip(datasets, contents, strict=True)
        ]  # fmt: skip
        return cls(pd.concat(parts, ignore_index=True))

    @property
    def distinct(self) -> npt.NDArray[np.int64]:
        """Positions of the images without those whose content stands further up on the same side."""
        known = self.images["content"].notna()
        return np.flatnonzero(~(known & self.images.duplicated(["split", "content"])))


def near_duplicate_pairs(
    pictures: Pictures, found: Fingerprints, *, threshold: float = SAME, events: Events | None = None
) -> pd.DataFrame:
    """The pairs of near-duplicates, the most similar first: the columns of :data:`PAIR_COLUMNS`.

    Of images whose content is equal on one side only the first is in it, and equal content on both sides is no pair.

    Parameters
    ----------
    found : Fingerprints
        Those of ``pictures.distinct``.
    """
    images = pictures.images.iloc[pictures.distinct].reset_index(drop=True)
    pairs = near_duplicates(found.prints, images["split"].to_numpy(dtype=object).astype(str), threshold=threshold,
                            events=events)  # fmt: skip
    one, other = images.iloc[pairs.first].reset_index(drop=True), images.iloc[pairs.second].reset_index(drop=True)
    table = pd.DataFrame({
        "image": one["image"], "other": other["image"], "similarity": pairs.similarity.astype(np.float64).round(3),
        "split": one["split"], "other_split": other["split"],
        "labels": one["labels"], "other_labels": other["labels"],
    })  # fmt: skip
    table = table[(one["content"] != other["content"]).fillna(True).astype(bool)].astype(PAIR_COLUMNS)
    return table.sort_values("similarity", ascending=False, kind="stable").reset_index(drop=True)


def check_copies(pictures: Pictures, pairs: pd.DataFrame | None) -> list[Finding]:
    """Findings about equal content and, if they were looked for, near-duplicates."""
    found = list(_equal(pictures.images))
    if pairs is not None and len(pairs):
        found += _near(pictures.images, pairs)
    return found


def _equal(images: pd.DataFrame) -> Iterator[Finding]:
    known = images[images["content"].notna()]
    twins = known[known.duplicated("content", keep=False)]
    if twins.empty:
        return
    first = twins.drop_duplicates(["split", "content"]).set_index(["split", "content"])["image"]
    if t.TRAIN in first.index.get_level_values(0) and t.TEST in first.index.get_level_values(0):
        sides = first.unstack("split").dropna()
        if len(sides):
            details = [f"the same as {name!r} in train" for name in sides[t.TRAIN]]
            rows = rows_of(t.TEST, sides[t.TEST], details)
            message = (
                f"{counted(len(rows), 'picture stands', 'pictures stand')} in train and in test: {_example(rows)}. The "
                "figures will be better than the model is."
            )
            advice = "Take them out of one side: project.remove('test', report.images_with('LEAK_BETWEEN_SPLITS'))."
            yield Finding("LEAK_BETWEEN_SPLITS", "error", message, advice, rows["image"].iat[0], rows)
    labelled = twins[twins["labels"].map(len) > 0]
    differing = labelled.groupby("content", sort=False)["labels"].nunique()
    wrong = labelled[labelled["content"].isin(differing[differing > 1].index)]
    if len(wrong):
        yield _different(wrong.assign(detail=[_labels(own) for own in wrong["labels"]]), "the very same picture")
    repeated = twins[twins.duplicated(["split", "content"])]
    for split, own in repeated.groupby("split", sort=False):
        rows = rows_of(str(split), own["image"])
        message = f"{counted(len(rows), 'image')} of the {split} set with the same content as another one there."
        advice = f"Take them out: project.remove({split!r}, report.images_with('DUPLICATE_CONTENT', {split!r}))."
        yield Finding("DUPLICATE_CONTENT", "note", message, advice, rows["image"].iat[0], rows)


def _near(images: pd.DataFrame, pairs: pd.DataFrame) -> Iterator[Finding]:
    across = pairs[pairs["split"] != pairs["other_split"]]
    if len(across):
        swapped = across["split"] == t.TEST
        test, train = across["image"].where(swapped, across["other"]), across["other"].where(swapped, across["image"])
        details = [
            f"like {name!r} in train ({value:.2f})" for name, value in zip(train, across["similarity"], strict=True)
        ]
        rows = rows_of(t.TEST, test, details)
        message = (
            f"{counted(len(rows), 'test image is', 'test images are')} nearly the same as a training image: "
            f"{_example(rows)}. The figures will be better than the model is."
        )
        advice = (
            "Look at the pairs in report.near_duplicates, and take them out of one side: "
            "project.remove('test', report.images_with('NEAR_DUPLICATES_BETWEEN_SPLITS'))."
        )
        yield Finding("NEAR_DUPLICATES_BETWEEN_SPLITS", "warning", message, advice, rows["image"].iat[0], rows)
    differ = pairs[[_contradict(a, b) for a, b in zip(pairs["labels"], pairs["other_labels"], strict=True)]]
    if len(differ):
        details = [
            f"{_labels(labels)}, but {other!r} {_labels(other_labels)} ({value:.2f})"
            for labels, other_labels, other, value in zip(
                differ["labels"], differ["other_labels"], differ["other"], differ["similarity"], strict=True
            )
        ]
        yield _different(differ.assign(detail=details), "nearly the same picture")
    for split in (t.TRAIN, t.TEST):
        own = pairs[(pairs["split"] == split) & (pairs["other_split"] == split)]
        if own.empty:
            continue
        names = images.loc[images["split"] == split, "image"]
        groups = pd.Series(groups_of_pairs(own, names.tolist()), index=names)
        groups = groups[groups.duplicated(keep=False)]
        rows = rows_of(split, groups.index.tolist(), [f"group {number + 1}" for number in pd.factorize(groups)[0]])
        message = (
            f"{counted(len(rows), 'image')} of the {split} set in {counted(groups.nunique(), 'group')} of "
            "near-duplicates: they count as many images and teach like one."
        )
        advice = (
            "Keep the best of each group, or keep groups on one side: "
            "project.distribute(groups=project.near_duplicates())."
        )
        yield Finding("NEAR_DUPLICATES", "note", message, advice, rows["image"].iat[0], rows)


def _different(own: pd.DataFrame, what: str) -> Finding:
    rows = pd.concat([rows_of(str(split), part["image"], part["detail"]) for split, part in own.groupby("split")])
    rows = rows.reset_index(drop=True)
    message = f"{counted(len(rows), 'image')} that show {what} as another one with another label: {_example(rows)}."
    advice = "One of the labels is probably wrong: correct it."
    return Finding("LABELS_DIFFER_ON_SAME_PICTURE", "warning", message, advice, rows["image"].iat[0], rows)


def _contradict(labels: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether labels of two copies can't both be right; one that has fewer may be a crop."""
    one, two = set(labels), set(other)
    return bool(one and two) and not (one <= two or two <= one)


def _labels(own: tuple[str, ...]) -> str:
    return f"labelled {' and '.join(map(repr, own))}" if own else "not labelled"


def _example(rows: pd.DataFrame) -> str:
    more = f" and {len(rows) - 1:,} more" if len(rows) > 1 else ""
    return f"{rows['image'].iat[0]!r} ({rows['detail'].iat[0]}){more}"
