"""Combining the answers of several people: duration, accuracy compared with crowd-kit, and what goes to a reviewer.

The people are simulated: a class of 30 (22 right at 0.85, 5 at 0.5, 3 guessing), a class that mixes up two labels, and
one with rare labels. Each image has three answers. First, the most probable label of each image is compared with that
of crowd-kit in its own environment, for all images. The bound is for the first class. If people mix up two labels, a
confusion matrix per person wins from 1,000 images on. Methods that learn how frequent each label is have more right
labels where some are rare, but find fewer of the rare ones.

Then jobs ask two or three people about each image, and at most three or five where these disagree. A job resolves only
images on which more than half agree, and leaves the others to a reviewer.

    python benchmarks/consolidation.py [--only time|accuracy|review] [--seeds 10] [--tasks 100000]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from _measure import bound, cores, figure, heading, last_json, own_environment, seconds

from customlabels_nb.jobs.agreement import measure_agreement
from customlabels_nb.jobs.answer_format import ANSWER_COLUMNS
from customlabels_nb.jobs.consolidation import ASK_AGAIN, NEEDS_REVIEW, RESOLVED, consolidate

CLASSES = ("class", "mixing two labels", "rare labels")
IMAGES, EACH, LABELS = (100, 300, 1000), 3, 5
ASKED = ((2, 2), (2, 3), (3, 3), (3, 5))  # people who are asked about each image, and at most
MOST_SECONDS, MOST_BELOW = 20, 0.005

Integers = npt.NDArray[np.int64]


def main() -> None:
    """Run the benchmark and print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("time", "accuracy", "review"))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--tasks", type=int, default=100_000)
    options = parser.parse_args()
    print(f"{cores()} cores")
    if options.only in (None, "time"):
        time_part(options.tasks)
    if options.only in (None, "accuracy"):
        accuracy_part(options.seeds)
    if options.only in (None, "review"):
        review_part(options.seeds)


def simulate(name: str, images: int, random_state: int, each: int = EACH) -> tuple[Integers, Integers, Integers]:
    """Return the true labels (n,), and the person and label of each answer (n, each)."""
    random = np.random.default_rng([random_state, images, CLASSES.index(name)])
    accuracy = np.array([0.85] * 22 + [0.5] * 5 + [1 / LABELS] * 3)
    share = np.array([0.6, 0.25, 0.1, 0.03, 0.02]) if name == "rare labels" else np.full(LABELS, 1 / LABELS)
    truth = random.choice(LABELS, images, p=share)
    person = np.argsort(random.random((images, len(accuracy))), axis=1)[:, :each]
    right = random.random(person.shape) < accuracy[person]
    wrong = (truth[:, None] + random.integers(1, LABELS, person.shape)) % LABELS
    given = np.where(right, truth[:, None], wrong)
    if name == "mixing two labels":  # every third person calls most images of label 0 by label 1
        mixed = (person % 3 == 0) & (truth[:, None] == 0) & (random.random(person.shape) < 0.7)
        given = np.where(mixed, 1, given)
    return truth, person, given


def as_answers(person: Integers, given: Integers) -> pd.DataFrame:
    """Return a table of answers with one label each."""
    images = np.repeat(np.arange(len(person)), person.shape[1])
    now = pd.Timestamp.now(tz="UTC")
    columns = {
        "answer": np.arange(len(images)),
        "task": images,
        "image": images.astype(str),
        "person": person.ravel().astype(str),
        "label": given.ravel().astype(str),
        "labels": [()] * len(images),
        "boxes": [()] * len(images),
        "submitted": now,
        "accepted": now,
        "seconds": 1.0,
        "counted": True,
        "gold": False,
    }
    return pd.DataFrame(columns).astype(ANSWER_COLUMNS)


def time_part(tasks: int) -> None:
    """Print how long it takes to combine three answers of each task."""
    heading(f"{tasks:,} tasks × {EACH} answers:")
    _, person, given = simulate("class", tasks, 0)
    answers = as_answers(person, given)
    bound(
        "one label", seconds(lambda: consolidate(answers, "single-label", annotators=EACH)), " s", at_most=MOST_SECONDS
    )
    figure("agreement with intervals", f"{seconds(lambda: measure_agreement(answers, 'single-label')):.2f} s")
    several = answers.assign(labels=[(label, "0") if label != "0" else (label,) for label in answers["label"]])
    bound(
        "several labels",
        seconds(lambda: consolidate(several, "multi-label", annotators=EACH)),
        " s",
        at_most=MOST_SECONDS,
    )
    random = np.random.default_rng(0)
    places = random.uniform(20, 200, (tasks, 2, 4))
    sides = places[answers["task"]] + random.normal(0, 3, (len(answers), 2, 4))
    names = ("left", "top", "width", "height")
    drawn = answers.assign(boxes=[
        tuple({"label": str(number), **dict(zip(names, box, strict=True)), "polygon": None}
              for number, box in enumerate(own)) for own in sides.tolist()
    ])  # fmt: skip
    bound("two boxes", seconds(lambda: consolidate(drawn, "boxes", annotators=EACH)), " s", at_most=MOST_SECONDS)


def accuracy_part(seeds: int) -> None:
    """Print the share of right labels, and its mean over the true labels, beside crowd-kit's."""
    crowdkit = own_environment(["crowd-kit"], "crowdkit")
    for name in CLASSES:
        for images in IMAGES:
            heading(f"{name}, {images} images, {seeds} seeds: right labels, mean over the true labels")
            truth, person, given = (
                np.stack(part)
                for part in zip(*(simulate(name, images, random_state) for random_state in range(seeds)), strict=True)
            )
            found = {"ours": np.stack([our_labels(*answers) for answers in zip(person, given, strict=True)])}
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "answers.npz"
                np.savez(path, person=person, given=given)
                peer = last_json([*crowdkit, str(Path(__file__).parent / "_consolidation_crowdkit.py"), str(path)])
            found |= {who: np.array(labels) for who, labels in peer["labels"].items()}
            for who, labels in found.items():
                right = labels == truth
                each = [
                    right[random_state][truth[random_state] == label]
                    for random_state in range(seeds)
                    for label in np.unique(truth[random_state])
                ]
                figure(who, f"{right.mean():.3f}, {np.mean([part.mean() for part in each]):.3f}")
            below = float((found["DawidSkene"] == truth).mean() - (found["ours"] == truth).mean())
            if name == "class":
                bound("below crowd-kit's DawidSkene", below, "", at_most=MOST_BELOW)
            else:
                figure("below crowd-kit's DawidSkene", f"{below:.3f}")


def our_labels(person: Integers, given: Integers) -> Integers:
    """Return the most probable label of each image."""
    found = consolidate(as_answers(person, given), "single-label", annotators=EACH).annotations
    best = found.sort_values("confidence").drop_duplicates("task", keep="last").sort_values("task")
    return best["label"].astype(int).to_numpy()


def review_part(seeds: int) -> None:
    """Print the share of images that a job resolves, how many of them are right, and what goes to a reviewer."""
    for name in CLASSES:
        for images in IMAGES:
            heading(f"{name}, {images} images, {seeds} seeds:")
            for annotators, most in ASKED:
                found = np.mean(
                    [run_job(name, images, random_state, annotators, most) for random_state in range(seeds)], axis=0
                )
                words = "{:.1%} resolved, {:.1%} of them right, {:.1%} to review, {:.2f} answers an image"
                figure(f"{annotators} people, at most {most}", words.format(*found))


def run_job(name: str, images: int, random_state: int, annotators: int, most: int) -> tuple[float, float, float, float]:
    """Ask people until no image needs more, and return the shares of :func:`review_part`, and answers an image."""
    truth, person, given = simulate(name, images, random_state, most)
    answers = as_answers(person, given)
    place, asked = np.tile(np.arange(most), images), np.full(images, annotators)
    while True:
        result = consolidate(answers[place < asked[answers["task"]]], "single-label", annotators=annotators, most=most)
        state = result.tasks["state"].to_numpy()
        if not (state == ASK_AGAIN).any():
            break
        asked[state == ASK_AGAIN] += 1
    kept = result.annotations[result.annotations["kept"]].set_index("task")["label"].astype(int)
    right = kept.reindex(range(images), fill_value=-1).to_numpy() == truth
    resolved = state == RESOLVED
    return float(resolved.mean()), float(right[resolved].mean()), float((state == NEEDS_REVIEW).mean()), asked.mean()


if __name__ == "__main__":
    main()
