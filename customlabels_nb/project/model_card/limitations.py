"""What a model's figures don't promise, and where it goes wrong: sentences that follow from the facts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from customlabels_nb.evaluation import Evaluation
from customlabels_nb.evaluation.outcomes import DETECTION, MULTI_LABEL
from customlabels_nb.project.model_card.card_facts import CardFacts
from customlabels_nb.training.kinds import BRANDS

_WIDE = 0.1  # an interval of F1 that is worth a word
_WEAK = 0.7
_FEW_TRAINING, _FEW_TEST = 10, 3
_CONFUSED = 0.05  # share of a label's images, or boxes
_MOST = 5


def limits_of(facts: CardFacts) -> list[str]:
    """The sentences, what concerns the figures first."""
    return [
        *_about_metrics(facts),
        *_about_labels(facts),
        *([] if facts.evaluation is None else _about_mistakes(facts.evaluation)),
        *_about_boxes(facts),
        *_about_the_world(facts),
    ]


def _about_metrics(facts: CardFacts) -> Iterator[str]:
    found = facts.evaluation
    if found is None:
        yield "What it said of its test images was not kept, so nothing can be said of single labels and mistakes."
        return
    low, high = found.summary.loc[found.summary["figure"] == "f1", ["low", "high"]].iloc[0]
    if not pd.isna(low) and high - low > _WIDE:
        count = len(found.outcomes.images)
        yield (
            f"The figures rest on {count:,} test image{'s' * (count != 1)}: on as many others, F1 could as well have "
            f"been anything from {low:.2f} to {high:.2f}."
        )
    yield from found.notes
    if facts.hand_set:
        yield f"Set by hand, not where F1 is highest: the threshold of {_listed(list(facts.hand_set))}."


def _about_labels(facts: CardFacts) -> Iterator[str]:
    if facts.kind != BRANDS:
        learnt = [(label, facts.training_images.get(label, 0)) for label in facts.config.labels]
        few = [f"{label} ({count})" for label, count in learnt if count < _FEW_TRAINING]
        if few and facts.training_images:
            yield f"Fewer than {_FEW_TRAINING} training images: {_listed(few)}."
    if facts.evaluation is None:
        return
    table = facts.evaluation.per_label
    tested = table[table["test_images"] > 0]
    few = [f"{row.label} ({row.test_images})" for row in tested.itertuples() if row.test_images < _FEW_TEST]
    if few:
        yield f"Fewer than {_FEW_TEST} test images, so that one more or less changes the figures a lot: {_listed(few)}."
    weak = tested[tested["f1"] < _WEAK].sort_values("f1", kind="stable")
    if len(weak):
        named = [f"{row.label} ({row.f1:.2f})" for row in weak.itertuples()]
        yield f"Weak, with an F1 below {_WEAK}: {_listed(named)}."


def _about_mistakes(found: Evaluation) -> Iterator[str]:
    if found.task == MULTI_LABEL:
        yield from _about_marks(found)
        return
    matrix = found.confusion_matrix
    nothing = matrix.labels[-1] if matrix.background else None
    columns = dict(zip(matrix.labels, matrix.truth_counts.tolist(), strict=True))
    things = "boxes" if matrix.background else "test images"
    told = 0
    for row in matrix.confusions().itertuples(index=False):
        if row.truth != nothing and row.share < _CONFUSED:
            continue
        if row.truth == nothing:
            yield f"It finds {row.predicted} {_times(row.count)} where there is none."
        elif row.predicted == nothing:
            yield f"Of {columns[row.truth]:,} {things} of {row.truth}, {row.count:,} {_are(row.count)} missed."
        else:
            yield (
                f"Of {columns[row.truth]:,} {things} of {row.truth}, {row.count:,} {_are(row.count)} taken for "
                f"{row.predicted}."
            )
        told += 1
        if told == _MOST:
            return


def _about_marks(found: Evaluation) -> Iterator[str]:
    """Of several labels an image, a matrix has what belongs together beside what is confused."""
    table = found.per_label.assign(wrong=found.per_label["fp"] + found.per_label["fn"])
    table = table[(table["wrong"] > 0) & (table["test_images"] > 0)].sort_values(
        "wrong", ascending=False, kind="stable"
    )
    for row in table.head(_MOST).itertuples():
        missed = f"is missed on {row.fn:,} of the {row.test_images:,} test images that have it" if row.fn else ""
        added = f"is found on {row.fp:,} that have not" if row.fp else ""
        yield f"{row.label} {' and '.join(filter(None, (missed, added)))}."


def _about_boxes(facts: CardFacts) -> Iterator[str]:
    if facts.config.kind != DETECTION:
        return
    if facts.kind == BRANDS:
        yield (
            "It was trained on scenes into which pictures of the logos were pasted. How a logo looks on cloth, on "
            "curved or lit surfaces, or seen from the side, it may not know."
        )
        return
    if facts.train is None:
        return
    images = facts.train.images
    longest = np.fmax(*(images[side].to_numpy(dtype="float64", na_value=np.nan) for side in ("width", "height")))
    boxes = facts.train.annotations.dropna(subset=["left"])
    of_image = boxes["image"].map(dict(zip(images["image"], longest, strict=True))).to_numpy(dtype="float64")
    shares = (boxes[["width", "height"]].max(axis=1).to_numpy(dtype="float64") / of_image)[of_image > 0]
    if len(shares):
        low, high = np.quantile(shares, (0.05, 0.95), method="nearest")
        yield (
            f"The longer side of 9 in 10 training boxes is between {low:.0%} and {high:.0%} of their image's: things "
            "that are much smaller or larger in a picture were hardly seen in training."
        )
    most = int(boxes.groupby("image").size().max()) if len(boxes) else 0
    if most:
        yield f"No training image has more than {most:,} box{'es' * (most != 1)}."


def _about_the_world(facts: CardFacts) -> Iterator[str]:
    count = len(facts.config.labels)
    yield (
        f"It knows {'one label' if count == 1 else f'{count:,} labels'} and nothing else. What it was never shown it "
        "takes for one of them, or finds nothing, and its confidence then says little."
    )
    if facts.kind not in (DETECTION, MULTI_LABEL) or facts.train is None:
        return
    labelled = facts.train.images.loc[facts.train.images["status"] == "labelled", "image"]
    if labelled.isin(facts.train.annotations["image"]).all():
        yield (
            "Every training image shows something with a label: how often it finds something where there is nothing "
            "was not learnt."
        )


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _listed(names: list[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most:,} more" if len(names) > most else "")
