"""Advice on what the figures can't say, or what the model doesn't know: rare labels, few images, calibration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from customlabels_nb.evaluation.advice.case import Case, listed
from customlabels_nb.evaluation.advice.items import AdviceItem
from customlabels_nb.evaluation.arrays import BoolArray, FloatArray
from customlabels_nb.evaluation.scores import Scores

#: As ``project.check()`` has them: with fewer training images the result, with fewer test images a figure is left to
#: chance.
FEW_TRAINING_IMAGES, FEW_TEST_IMAGES = 10, 3
#: F1 of a label at which nobody needs more training images of it.
GOOD_F1 = 0.9
#: An interval of F1 as wide as this can't tell a good model from a middling one.
WIDE = 0.2
#: So many test images without a mistake leave room for 5 % of mistakes on new ones (the rule of three).
FLAWLESS = 60
#: By how much confidences have to exceed the share that is right, over how many predictions, and how many standard
#: errors off: less is chance.
OVER_CONFIDENT, LEAST_PREDICTIONS, ERRORS_OFF = 0.1, 30, 3.0
#: The weights of what gains nothing by itself: below a mistake in a hundred, in this order.
_WIDTH_WEIGHT, _CONFIDENCE_WEIGHT, _RARE_WEIGHT = 0.02, 0.01, 0.01


def never_found_advice(case: Case) -> Iterator[AdviceItem]:
    """Labels of the test set that are never predicted rightly."""
    tp, _, _ = case.counts
    tested = case.outcomes.in_test_set
    for known in (False, True):
        at = np.flatnonzero(tested & (tp == 0) & (case.outcomes.known == known))
        if not at.size:
            continue
        labels = tuple(case.labels[position] for position in at)
        images = _images_with(case, labels)
        several = len(labels) > 1
        if known:
            text = (
                f"{listed(labels)} {'are' if several else 'is'} never found. Look whether these images are labelled "
                "rightly, and add training images like them."
            )
            call = case.look()
        else:
            text = (
                f"The model doesn't know {listed(labels)}, which test images have: add training images with "
                f"{'them' if several else 'it'} and train again."
            )
            call = case.add(labels[0])
        others = case.per_label["f1"].to_numpy()[tested & (tp > 0)]
        gain = len(labels) / int(tested.sum()) * (float(others.mean()) if others.size else 1.0)
        yield AdviceItem("never_found", text, labels, images, call, gain)


def rare_advice(case: Case) -> Iterator[AdviceItem]:
    """Labels with too few training images, and with too few test images."""
    if case.training is not None:
        yield from _few_training_images(case, case.training)
    few = np.flatnonzero(case.outcomes.test_images < FEW_TEST_IMAGES)
    if few.size:
        labels = tuple(case.labels[position] for position in few)
        numbers = case.outcomes.test_images[few]
        have = f"{listed(labels)} {'has' if len(labels) == 1 else 'have'}"
        number = "no test image" if not numbers.any() else f"fewer than {FEW_TEST_IMAGES} test images"
        text = f"{have} {number}: their figures are left to chance. Add more of them to the test set."
        if len(labels) == 1:
            text = text.replace("their figures are", "its figures are").replace("more of them", "more of it")
        weight = _RARE_WEIGHT * len(labels) / len(case.labels)
        yield AdviceItem("rare", text, labels, _images_with(case, labels), case.add(labels[0], "test"), weight)


def _few_training_images(case: Case, training: Mapping[str, int]) -> Iterator[AdviceItem]:
    f1 = case.per_label["f1"].to_numpy()
    tested = case.outcomes.in_test_set
    for position, label in enumerate(case.labels):
        number = int(training.get(label, 0))
        if number >= FEW_TRAINING_IMAGES or not tested[position] or f1[position] >= GOOD_F1 or not number:
            continue
        text = (
            f"{label} has only {number} training image{'' if number == 1 else 's'} and an F1 of {f1[position]:.2f}: "
            f"add some, at least {FEW_TRAINING_IMAGES} in all."
        )
        images = _images_with(case, (label,))
        weight = (GOOD_F1 - float(f1[position])) / 2 / int(tested.sum())  # half of what it lacks
        yield AdviceItem("rare", text, (label,), images, case.add(label), weight)


def interval_advice(case: Case) -> Iterator[AdviceItem]:
    """Too few test images for the interval of F1 to say anything."""
    summary = case.summary.set_index("figure")
    low, high = float(summary.loc["f1", "low"]), float(summary.loc["f1", "high"])
    number = len(case.outcomes.images)
    images = f"{number:,} test image{'' if number == 1 else 's'}"
    if high - low >= WIDE:
        wanted = int(np.ceil(number * ((high - low) / (WIDE / 2)) ** 2 / 10) * 10)  # widths fall with the square root
        text = (
            f"F1 lies somewhere between {low:.2f} and {high:.2f}: {images} can't say it closer. With about {wanted:,} "
            f"the interval would be {WIDE / 2:.1f} wide."
        )
    elif case.counts[0].any() and not (case.counts[1].any() or case.counts[2].any()) and number < FLAWLESS:
        text = (
            f"No mistake on {images}, but so few can't rule out that up to {min(99, round(300 / number))} % of new "
            f"images go wrong. Add test images: with {FLAWLESS} it would be {round(300 / FLAWLESS)} %."
        )
        low, high = 0.0, WIDE
    else:
        return
    call = 'project.add_images("photos/", split="test")' if case.in_project else "report.summary"
    weight = _WIDTH_WEIGHT * (high - low)
    yield AdviceItem("few_test_images", text, (), pd.DataFrame({"image": []}, dtype="str"), call, weight)


def confidence_advice(case: Case) -> Iterator[AdviceItem]:
    """Confidences that promise more than they hold."""
    confidence, right = _answers(case)
    if len(confidence) < LEAST_PREDICTIONS:
        return
    gap = float(confidence.mean() - right.mean())
    error = float(np.sqrt((confidence * (1 - confidence)).sum())) / len(confidence)
    if gap < OVER_CONFIDENT or gap < ERRORS_OFF * error:
        return
    text = (
        f"Confidences promise more than they hold: predictions made with {confidence.mean():.2f} on average are right "
        f"in {right.mean():.2f} of the cases. Don't read them as probabilities; take thresholds from the curves."
    )
    worst = case.alarms.sort_values("confidence", ascending=False, kind="stable", ignore_index=True)
    images = worst[["image", "label", "confidence"]]
    yield AdviceItem("over_confident", text, (), images, "report.plot_curves()", _CONFIDENCE_WEIGHT * gap)


def _answers(case: Case) -> tuple[FloatArray, BoolArray]:
    """What the model said and whether it was right: of one label an image the surest, else what was accepted."""
    if isinstance(case.outcomes, Scores) and case.single_label:
        true, said = case.outcomes.true_label(), case.outcomes.predicted_label()
        at = np.flatnonzero((true >= 0) & (said >= 0))
        return case.outcomes.confidence[at, said[at]], true[at] == said[at]
    found = pd.concat([case.hits.assign(right=True), case.alarms.assign(right=False)])
    return found["confidence"].to_numpy(dtype=np.float64), found["right"].to_numpy(dtype=bool)


def _images_with(case: Case, labels: tuple[str, ...]) -> pd.DataFrame:
    """The test images with these labels, the surest misses last."""
    found = pd.concat([case.misses, case.hits])
    found = found[found["label"].isin(labels)][["image", "label", "confidence"]]
    return found.sort_values("confidence", kind="stable").drop_duplicates(["image", "label"], ignore_index=True)
