"""Labelling with the help of a model, simulated with the true labels of digits, drawn rooms and flowers, and fruit.

- ``queue``: labels needed for 95 % of the F1 of all labels, compared with random order and with margin sampling,
  TypiClust and BADGE of scikit-activeml, in its own environment created by uv. Check images count.
- ``prelabels``: real precision and coverage of what is shown as trusted at 95 %.
- ``clusters``: keys per label when pages of one cluster get their label with one key.
- ``suspects``: planted label errors that are found, compared with cleanlab on the same probabilities, in its own
  environment.
- ``large``: rescoring and ordering 250,000 images.

    python benchmarks/assist.py [--only queue|prelabels|clusters|suspects|large] [--seeds 10]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from _assist_data import NAMES, Images, read, split
from _measure import bound, cores, figure, heading, last_json, own_environment, spread

from customlabels_nb.assist.clusters import cluster_pages
from customlabels_nb.assist.guarantee import find_guarantee, guarantee_labels
from customlabels_nb.assist.probabilities import clarity, cross_fit, label_doubt, learn, margin_doubt, predict
from customlabels_nb.assist.queue import QueueState, check_images, check_places, compact, order_queue
from customlabels_nb.assist.suspects import doubtful_labels, swapped_labels

PARTS = ("queue", "prelabels", "clusters", "suspects", "large")
SHARE, TARGET, SWAPS = 0.95, 0.95, 0.05
LARGE, WIDTH, LABELS = 250_000, 1280, 10

Integers = npt.NDArray[np.int64]
Everything = dict[str, tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]]


def main() -> None:
    """Run the benchmark and print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=PARTS, action="append", help="run only this part (repeatable)")
    parser.add_argument("--sets", choices=NAMES, nargs="+", default=NAMES)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--no-peers", action="store_true", help="leave out scikit-activeml and cleanlab")
    options = parser.parse_args()
    print(f"{cores()} cores")
    parts = options.only or PARTS
    data: Everything = {}
    if set(parts) - {"large"}:
        data = {name: read(name) for name in options.sets}
        data = {name: own for name, own in data.items() if len(own[0]) or print(f"There are no photos of {name}.")}
    if "queue" in parts:
        queue_part(data, options.seeds, peers=not options.no_peers)
    if "prelabels" in parts:
        prelabels_part(data, options.seeds)
    if "clusters" in parts:
        clusters_part(data, options.seeds)
    if "suspects" in parts:
        suspects_part(data, options.seeds, peers=not options.no_peers)
    if "large" in parts:
        large_part()


# -- the queue ------------------------------------------------------------------------------------------------
def queue_part(data: Everything, seeds: int, *, peers: bool) -> None:
    """Print the labels that each order needs, as medians over the seeds."""
    activeml = own_environment(["scikit-activeml"], "skactiveml") if peers else None
    beside_random: list[float] = []
    for name, own in data.items():
        heading(f"{name}: labels for {SHARE:.0%} of the F1 of all labels, {seeds} seeds:")
        needed: dict[str, list[float]] = {}
        for random_state in range(seeds):
            images = split(name, *own, random_state)
            for order, labels in needed_labels(images, random_state, activeml).items():
                needed.setdefault(order, []).append(labels)
        for order, values in needed.items():
            figure(order, spread(values, ""))
        ours = statistics.median(needed["ours"])
        beside_random.append(ours / statistics.median(needed["random"]))
        bound("ours over random", beside_random[-1], "×", at_most=1.05)
        others = [statistics.median(values) for order, values in needed.items() if order not in ("ours", "random")]
        if others:
            bound("ours over the best peer", ours / min(others), "×", at_most=1.1)
    heading("all sets:")
    bound("ours over random, median", statistics.median(beside_random), "×", at_most=0.6)


def needed_labels(images: Images, random_state: int, activeml: list[str] | None) -> dict[str, float]:
    """Return the labels that random order, ours and scikit-activeml's strategies need."""
    goal = SHARE * images.f1(np.arange(len(images.features)))
    shuffled = np.random.default_rng(random_state).permutation(len(images.features))
    result = {"random": labels_to_goal(images, goal, lambda asked: shuffled[len(asked) :][: images.page])}
    features = compact(images.features, random_state=random_state)
    order = np.argsort(check_places([str(at) for at in range(len(features))], random_state=random_state))
    result["ours"] = labels_to_goal(images, goal, lambda asked: our_page(images, features, order, asked, random_state))
    if activeml is not None and not images.several:
        with tempfile.TemporaryDirectory() as folder:
            path, most = Path(folder) / "pool.npz", round(1.2 * max(result.values()))
            targets = images.truth.argmax(axis=1)
            most = min(most, len(targets))
            np.savez(path, features=images.features, targets=targets, page=images.page, most=most)
            found = last_json(
                [*activeml, str(Path(__file__).parent / "_assist_activeml.py"), str(path), str(random_state)]
            )
        for name, asked_by in found["asked"].items():
            every = np.asarray(asked_by)
            result[f"{found['what']}, {name}"] = labels_to_goal(
                images, goal, lambda asked, every=every: every[len(asked) :][: images.page]
            )
    return result


def labels_to_goal(images: Images, goal: float, next_page: Callable[[Integers], Integers]) -> float:
    """Return the number of labels after which the F1 reaches the goal, or that were given without reaching it."""
    asked = np.empty(0, dtype=np.int64)
    while len(page := next_page(asked)):
        asked = np.concatenate([asked, page])
        if images.f1(asked) >= goal:
            break
    return float(len(asked))


def our_page(
    images: Images, features: npt.NDArray[np.float32], order: Integers, asked: Integers, random_state: int
) -> Integers:
    """Return the next page of the queue."""
    labelled = np.zeros(len(features), dtype=np.bool_)
    labelled[asked] = True
    counts = images.truth[asked].sum(axis=0)
    probabilities = doubt = None
    if (counts > 0).sum() > 1:
        probabilities = images.probabilities(asked, images.features)
        doubt = label_doubt(probabilities, counts) if images.several else margin_doubt(probabilities)
    checked, (_, ahead) = int(labelled[order].argmin()), check_images(np.argsort(order), ~labelled, [])
    state = QueueState(features, order[ahead], ~labelled, labelled, counts, checked, doubt, probabilities)
    return order_queue(state, page=images.page, random_state=random_state)["position"].to_numpy()[: images.page]


# -- prelabels and clusters -----------------------------------------------------------------------------------
def prelabels_part(data: Everything, seeds: int) -> None:
    """Print how often the shown predictions are right, on the images without labels."""
    kept: list[bool] = []
    for name, own in data.items():
        if name == "fruit":
            continue  # too few photos for 59 check images
        for labels in (150, 300, 450):
            runs = [prelabels(split(name, *own, random_state), labels, random_state) for random_state in range(seeds)]
            shown = [(precision, covered) for precision, covered in runs if covered]
            kept += [precision >= TARGET for precision, _ in shown]
            worst = f"{min(precision for precision, _ in shown):.3f}" if shown else "-"
            covered = statistics.mean(covered for _, covered in runs)
            figure(f"{name}, {labels} labels: covered, worst precision", f"{covered:.0%}, {worst}")
    heading("all sets:")
    if kept:
        bound(f"share of {len(kept)} runs with precision ≥ {TARGET}", statistics.mean(kept), "", at_least=0.95)


def prelabels(images: Images, labels: int, random_state: int) -> tuple[float, float]:
    """Return the precision of what is shown as trusted, and its share, after the first ``labels`` of the queue."""
    features = compact(images.features, random_state=random_state)
    order = np.argsort(check_places([str(at) for at in range(len(features))], random_state=random_state))
    asked = np.empty(0, dtype=np.int64)
    while len(asked) < min(labels, len(features) // 2):
        asked = np.concatenate([asked, our_page(images, features, order, asked, random_state)])
    labelled = np.zeros(len(features), dtype=np.bool_)
    labelled[asked] = True
    checks = order[: int(labelled[order].argmin())]
    head = learn(images.features[asked], images.targets(asked), images.k, random_state=random_state)
    honest = np.zeros((len(features), images.k))
    honest[asked] = cross_fit(images.features[asked], images.targets(asked), head, random_state=random_state)
    found = predict(images.features[~labelled], head, several=images.several).astype(np.float64)
    truth = images.truth[~labelled]
    if images.several:
        ok = ((honest[checks] >= 0.5) == images.truth[checks]).all(axis=1)
        threshold = find_guarantee(clarity(honest[checks], 0.5).min(axis=1), ok, TARGET).threshold
        shown, right = clarity(found, 0.5).min(axis=1) >= threshold, ((found >= 0.5) == truth).all(axis=1)
    else:
        label = honest[checks].argmax(axis=1)
        ok = images.truth[checks, label]
        every = guarantee_labels(honest[checks].max(axis=1), label, ok, images.k, TARGET)
        label = found.argmax(axis=1)
        shown = found.max(axis=1) >= np.array([one.threshold for one in every])[label]
        right = truth[np.arange(len(truth)), label]
    return (float(right[shown].mean()) if shown.any() else float("nan")), float(shown.mean())


def clusters_part(data: Everything, seeds: int) -> None:
    """Print the keys per label: one per page, one for each image taken out, and one for its own label."""
    for name, own in data.items():
        if name == "flowers":
            continue  # images have several labels
        for size in (4, 9):
            plain, later = zip(
                *(cluster_keys(split(name, *own, random_state), size, random_state) for random_state in range(seeds)),
                strict=True,
            )
            figure(f"{name}, pages of {size}: keys per label without a model", f"{statistics.mean(plain):.2f}")
            bound(f"{name}, pages of {size}: after 50 labels", statistics.mean(later), "", at_most=0.45)


def cluster_keys(images: Images, size: int, random_state: int) -> tuple[float, float]:
    """Return the keys per label without a model, and with a model of up to 50 labels for the other images."""
    features, label = compact(images.features, random_state=random_state), images.truth.argmax(axis=1)
    first = np.random.default_rng(random_state).permutation(len(features))[: min(50, len(features) // 2)]
    left = np.ones(len(features), dtype=np.bool_)
    pages = cluster_pages(features, left, size, random_state=random_state)
    left[first] = False
    probabilities = images.probabilities(first, images.features)
    later = cluster_pages(
        features, left, size, probabilities=probabilities, labels=len(first), random_state=random_state
    )
    result = []
    for each in (pages, later):
        groups = each.groupby("page")["position"]
        wrong = sum(len(page) - np.bincount(label[page]).max() for _, page in groups)
        result.append((groups.ngroups + 2 * wrong) / len(each))
    return result[0], result[1]


# -- suspected label errors -----------------------------------------------------------------------------------
def suspects_part(data: Everything, seeds: int, *, peers: bool) -> None:
    """Print the precision of the first suspects, as many as errors were planted, and the recall of all."""
    cleanlab = own_environment(["cleanlab"], "cleanlab") if peers else None
    for name, own in data.items():
        if name == "fruit":
            continue  # two planted errors
        heading(f"{name}: {SWAPS:.0%} planted label errors, {seeds} seeds:")
        found: dict[str, list[tuple[float, float]]] = {}
        for random_state in range(seeds):
            for who, judged in judge_suspects(split(name, *own, random_state), random_state, cleanlab).items():
                found.setdefault(who, []).append(judged)
        means = {who: np.mean(values, axis=0).tolist() for who, values in found.items()}
        bound("precision at n", means["ours"][0], "", at_least=0.8)
        bound("recall", means["ours"][1], "", at_least=0.7)
        for who in means.keys() - {"ours"}:
            figure(f"{who}: precision at n, recall", f"{means[who][0]:.3f}, {means[who][1]:.3f}")
            bound("precision at n below cleanlab's", means[who][0] - means["ours"][0], "", at_most=0.02)
            bound("recall below cleanlab's", means[who][1] - means["ours"][1], "", at_most=0.02)


def judge_suspects(images: Images, random_state: int, cleanlab: list[str] | None) -> dict[str, tuple[float, float]]:
    """Plant label errors and return precision at n and recall of ours and cleanlab's suspects."""
    rng = np.random.default_rng(random_state)
    given = images.truth.copy() if images.several else images.truth.argmax(axis=1)
    if images.several:
        planted = rng.random(given.shape) < SWAPS
        given ^= planted
        key = images.k
        wrong = np.flatnonzero(planted.ravel())
    else:
        key, wrong = 1, rng.choice(len(given), round(SWAPS * len(given)), replace=False)
        given[wrong] = (given[wrong] + rng.integers(1, images.k, len(wrong))) % images.k
    head = learn(images.features, given, images.k, random_state=random_state)
    probabilities = cross_fit(images.features, given, head, random_state=random_state)
    if images.several:
        at, label, _ = doubtful_labels(probabilities, given)
        suspects = {"ours": at * key + label}
    else:
        suspects = {"ours": swapped_labels(probabilities, given)[0]}
    if cleanlab is not None:
        with tempfile.TemporaryDirectory() as folder:
            np.savez(path := Path(folder) / "given.npz", probabilities=probabilities, given=given)
            theirs = last_json([*cleanlab, str(Path(__file__).parent / "_assist_cleanlab.py"), str(path)])
        pairs = np.asarray(theirs["suspects"], dtype=np.int64).reshape(len(theirs["suspects"]), -1)
        suspects[theirs["what"]] = pairs[:, 0] * key + (pairs[:, 1] if images.several else 0)
    return {
        who: (float(np.isin(own[: len(wrong)], wrong).sum() / len(wrong)), float(np.isin(wrong, own).mean()))
        for who, own in suspects.items()
    }


# -- 250,000 images -------------------------------------------------------------------------------------------
def large_part() -> None:
    """Print the time and memory of rescoring and ordering many images, with few labels and with many."""
    heading(f"{LARGE:,} images with {WIDTH} half-precision features in a memory-mapped file, {LABELS} labels:")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "features.npy"
        rng = np.random.default_rng(0)
        rows = np.lib.format.open_memmap(path, "w+", np.float16, (LARGE, WIDTH))
        centres = rng.normal(size=(60, WIDTH)).astype(np.float16)
        kind = rng.integers(0, 60, LARGE)
        for start in range(0, LARGE, 10_000):
            rows[start : start + 10_000] = centres[kind[start : start + 10_000]]
            rows[start : start + 10_000] += rng.normal(size=(10_000, WIDTH)).astype(np.float16)
        rows.flush()
        del rows
        for labelled in (60, 2000):
            took, work, memory = timed_order(path, kind % LABELS, labelled)
            figure(f"{labelled:,} labels: processor seconds", f"{work:.1f} s")
            bound(f"{labelled:,} labels: rescoring and ordering", took, " s", at_most=5)
            bound(f"{labelled:,} labels: memory besides the file", memory / 1e6, " MB", at_most=600)


def timed_order(path: Path, label: Integers, labelled: int) -> tuple[float, float, float]:
    """Return the seconds, processor seconds and added anonymous memory in bytes of scoring and ordering all images.

    Compacting the features counts for the memory only, because it is done once for all orders.
    """
    rng = np.random.default_rng(0)
    done = np.zeros(LARGE, dtype=np.bool_)
    done[some := rng.choice(LARGE, labelled, replace=False)] = True
    order = np.argsort(check_places([f"photos/{number:06d}.jpg" for number in range(LARGE)]))
    rows = np.load(path, mmap_mode="r")
    head = learn(rows[some].astype(np.float32), label[some], LABELS)
    most, ended = [anonymous_memory()], threading.Event()
    before = most[0]

    def watch() -> None:
        while not ended.wait(0.01):
            most.append(anonymous_memory())

    watcher = threading.Thread(target=watch)
    watcher.start()
    started = time.perf_counter()
    small = compact(rows)
    figure(f"{labelled:,} labels: compacting the features, once", f"{time.perf_counter() - started:.1f} s")
    started, work = time.perf_counter(), time.process_time()
    probabilities = predict(rows, head)
    doubt, counts = margin_doubt(probabilities), np.bincount(label[some], minlength=LABELS)
    order_queue(QueueState(small, order, ~done, done, counts, 0, doubt, probabilities))
    took, work = time.perf_counter() - started, time.process_time() - work
    ended.set()
    watcher.join()
    return took, work, max(most) - before


def anonymous_memory() -> float:
    """Return the bytes of memory of this process that belong to no file."""
    status = Path("/proc/self/status").read_text("utf-8")
    return 1024 * float(status.partition("RssAnon:")[2].split()[0])


if __name__ == "__main__":
    main()
