"""Run one peer of ``peers.py`` in an environment of its own: ``_peers_others.py WORK TASK``.

Prints the seconds and processor seconds after the imports, the peer's name and version, and its results, as JSON.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from _measure import Stopwatch

Answer = dict[str, Any]


# -- classifiers, with the weights of this package, because others would be downloaded ----------------------------
def _network(labels: int) -> tuple[Any, Any]:
    """Return timm's network with the packaged weights and a new head, and its input size, mean and std."""
    import timm

    from customlabels_nb.models.backbones import backbone_named, imagenet_weights

    facts = backbone_named("efficientnet_lite0")
    network = timm.create_model(facts.architecture, pretrained=False, num_classes=labels)
    weights = {key: value for key, value in imagenet_weights().items() if not key.startswith("classifier.")}
    missing = network.load_state_dict(weights, strict=False).missing_keys
    assert all(key.startswith("classifier.") for key in missing), missing
    return network, facts


def timm_features(path: str) -> Answer:
    """Fit scikit-learn's LogisticRegression on timm's features, with the transform of timm."""
    import timm
    import torch
    from PIL import Image
    from sklearn.linear_model import LogisticRegression

    task = json.loads(Path(path).read_text("utf-8"))
    torch.set_num_threads(task["threads"])
    watch = Stopwatch()
    network, facts = _network(0)
    network.eval()
    known = {"input_size": (3, facts.input_size, facts.input_size), "mean": facts.mean, "std": facts.std}
    transform = timm.data.create_transform(**(timm.data.resolve_model_data_config(network) | known))

    def features(rows: list[list[str]]) -> Any:
        images = [transform(Image.open(image).convert("RGB")) for image, _ in rows]
        with torch.inference_mode():
            return torch.cat([network(torch.stack(images[at : at + 32])) for at in range(0, len(images), 32)]).numpy()

    model = LogisticRegression(max_iter=1000).fit(features(task["train"]), [label for _, label in task["train"]])
    order = [model.classes_.tolist().index(label) for label in task["labels"]]
    found = model.predict_proba(features(task["test"]))[:, order].tolist()
    what = f"timm {timm.__version__} features, scikit-learn {version('scikit-learn')}"
    return {**watch.read(), "probabilities": found, "what": what}


def torchvision_recipe(path: str) -> Answer:
    """Fine-tune as in torchvision's tutorial on transfer learning: SGD, 25 epochs, batches of 4."""
    import torch
    import torchvision
    from PIL import Image
    from torchvision import transforms

    task = json.loads(Path(path).read_text("utf-8"))
    torch.set_num_threads(task["threads"])
    torch.manual_seed(task["random_state"])
    watch = Stopwatch()
    network, facts = _network(len(task["labels"]))
    end = [transforms.ToTensor(), transforms.Normalize(facts.mean, facts.std)]
    crop = transforms.RandomResizedCrop(facts.input_size)
    train = transforms.Compose([crop, transforms.RandomHorizontalFlip(), *end])
    test = transforms.Compose([transforms.Resize(256), transforms.CenterCrop(facts.input_size), *end])

    def examples(rows: list[list[str]], transform: Any) -> list[tuple[Any, int]]:
        return [(transform(Image.open(image).convert("RGB")), task["labels"].index(label)) for image, label in rows]

    optimizer = torch.optim.SGD(network.parameters(), lr=0.001, momentum=0.9)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=7, gamma=0.1)
    network.train()
    for _ in range(25):
        loader = torch.utils.data.DataLoader(examples(task["train"], train), batch_size=4, shuffle=True)
        for images, labels in loader:
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(network(images), labels).backward()
            optimizer.step()
        schedule.step()
    network.eval()
    found: list[Any] = []
    with torch.inference_mode():
        for images, _ in torch.utils.data.DataLoader(examples(task["test"], test), batch_size=32):
            found += network(images).softmax(dim=1).tolist()
    what = f"torchvision {torchvision.__version__}, transfer learning tutorial"
    return {**watch.read(), "probabilities": found, "what": what}


# -- evaluation -----------------------------------------------------------------------------------------------
def _drawn(task: str) -> tuple[int, list[dict[str, Any]]]:
    """Return the number of images, and true boxes and predictions, each with its positions by image."""
    from _evaluation_detection import draw

    sizes = json.loads(task)
    sides = []
    for drawn in draw(**sizes):
        order = np.argsort(drawn["image"], kind="stable")
        counts = np.bincount(drawn["image"], minlength=sizes["images"])
        corners = np.concatenate([drawn["box"][:, :2], drawn["box"][:, :2] + drawn["box"][:, 2:]], axis=1)
        sides.append({**drawn, "corners": corners, "parts": np.split(order, np.cumsum(counts)[:-1])})
    return sizes["images"], sides


def torchmetrics_detection(task: str) -> Answer:
    """Compute the mean average precision from one dictionary of tensors for each image."""
    import torch
    from torchmetrics.detection import MeanAveragePrecision

    _, (truth, found) = _drawn(task)

    def items(drawn: Any, **more: str) -> list[dict[str, Any]]:
        columns = {"boxes": "corners", "labels": "label", **more}
        return [{name: torch.as_tensor(drawn[of][part]) for name, of in columns.items()} for part in drawn["parts"]]

    targets, predictions = items(truth, iscrowd="crowd"), items(found, scores="confidence")
    targets = [{**one, "iscrowd": one["iscrowd"].int()} for one in targets]
    watch = Stopwatch()
    metric = MeanAveragePrecision()  # per label, it would evaluate each label again
    metric.update(predictions, targets)
    result = metric.compute()
    what = f"torchmetrics {version('torchmetrics')}, MeanAveragePrecision"
    return {**watch.read(), "coco_map": float(result["map"]), "what": what}


def supervision_detection(task: str) -> Answer:
    """Compute the mean average precision from Detections of each image."""
    import supervision as sv
    from supervision.metrics import MeanAveragePrecision

    _, (truth, found) = _drawn(task)

    def items(drawn: Any) -> list[Any]:
        return [
            sv.Detections(
                xyxy=drawn["corners"][part],
                class_id=drawn["label"][part],
                confidence=drawn["confidence"][part] if "confidence" in drawn else None,
                data={"iscrowd": drawn["crowd"][part].astype(int)} if "crowd" in drawn else {},
            )
            for part in drawn["parts"]
        ]

    targets, predictions = items(truth), items(found)
    watch = Stopwatch()
    result = MeanAveragePrecision().update(predictions, targets).compute()
    what = f"supervision {sv.__version__}, MeanAveragePrecision"
    return {**watch.read(), "coco_map": float(result.map50_95), "what": what}


# -- formats --------------------------------------------------------------------------------------------------
def _formats(path: str) -> dict[str, str]:
    logging.disable(logging.WARNING)
    task: dict[str, str] = json.loads(Path(path).read_text("utf-8"))
    return task


def _supervision_dataset(task: dict[str, str], kind: str) -> Any:
    import supervision as sv

    if kind == "coco":
        return sv.DetectionDataset.from_coco(task["images"], task["coco"])
    folder = Path(task["yolo"])
    return sv.DetectionDataset.from_yolo(*(str(folder / name) for name in ("images", "labels", "data.yaml")))


def supervision_read(path: str, kind: str) -> Answer:
    """Read boxes of all images."""
    import supervision as sv

    task = _formats(path)
    watch = Stopwatch()
    boxes = sum(len(marks) for marks in _supervision_dataset(task, kind).annotations.values())
    return {**watch.read(), "boxes": boxes, "what": f"supervision {sv.__version__}"}


def supervision_write(path: str, kind: str) -> Answer:
    """Write the boxes that were read from COCO."""
    import supervision as sv

    dataset = _supervision_dataset(_formats(path), "coco")
    with tempfile.TemporaryDirectory() as folder:
        watch = Stopwatch()
        if kind == "coco":
            dataset.as_coco(annotations_path=f"{folder}/boxes.json")
        else:
            dataset.as_yolo(annotations_directory_path=f"{folder}/labels", data_yaml_path=f"{folder}/data.yaml")
        took = watch.read()
        boxes = _written(Path(folder), kind)
    return {**took, "boxes": boxes, "what": f"supervision {sv.__version__}"}


def _datumaro_dataset(task: dict[str, str], kind: str) -> Any:
    import datumaro as dm

    return dm.Dataset.import_from(*((task["coco"], "coco_instances") if kind == "coco" else (task["yolo"], "yolo")))


def datumaro_read(path: str, kind: str) -> Answer:
    """Read boxes of all images."""
    import datumaro as dm

    task = _formats(path)
    watch = Stopwatch()
    annotations = [annotation for item in _datumaro_dataset(task, kind) for annotation in item.annotations]
    boxes = sum(annotation.type == dm.AnnotationType.bbox for annotation in annotations)
    return {**watch.read(), "boxes": boxes, "what": f"datumaro {dm.__version__}"}


def datumaro_write(path: str, kind: str) -> Answer:
    """Write the boxes that were read from COCO."""
    import datumaro as dm

    dataset = _datumaro_dataset(_formats(path), "coco")
    dataset.init_cache()
    with tempfile.TemporaryDirectory() as folder:
        watch = Stopwatch()
        dataset.export(f"{folder}/out", "coco_instances" if kind == "coco" else "yolo", save_media=False)
        took = watch.read()
        boxes = _written(Path(folder), kind)
    return {**took, "boxes": boxes, "what": f"datumaro {dm.__version__}"}


def _written(folder: Path, kind: str) -> int:
    """Count the boxes in written files."""
    if kind == "coco":
        return sum(len(json.loads(path.read_text("utf-8"))["annotations"]) for path in folder.rglob("*.json"))
    lines = [line.split() for path in folder.rglob("*.txt") for line in path.read_text("utf-8").splitlines()]
    return sum(len(line) == 5 for line in lines)


# -- near-duplicates ------------------------------------------------------------------------------------------
def imagededup_hash(folder: str, method: str) -> Answer:
    """Find near-duplicates by a hash of each image."""
    import imagededup.methods

    finder = getattr(imagededup.methods, method)(verbose=False)
    watch = Stopwatch()
    found = finder.find_duplicates(encoding_map=finder.encode_images(image_dir=folder))
    took, pairs = watch.read(), {tuple(sorted((name, other))) for name, others in found.items() for other in others}
    return {**took, "pairs": sorted(pairs), "what": f"imagededup {version('imagededup')}, {method}"}


def fiftyone_brain(folder: str) -> Answer:
    """Find near-duplicates by FiftyOne's brain, with the features of our network."""
    import fiftyone as fo
    import fiftyone.brain as fob

    dataset = fo.Dataset.from_images_dir(folder)
    watch = Stopwatch()
    index = fob.compute_near_duplicates(dataset)
    names = {sample.id: Path(sample.filepath).name for sample in dataset}
    near = index.neighbors_map
    pairs = {tuple(sorted((names[a], names[b]))) for a, others in near.items() for b, _ in others}
    return {**watch.read(), "pairs": sorted(pairs), "what": f"FiftyOne {fo.__version__}"}


def _works() -> Iterator[Any]:
    yield from (timm_features, torchvision_recipe, torchmetrics_detection, supervision_detection, supervision_read)
    yield from (supervision_write, datumaro_read, datumaro_write, imagededup_hash, fiftyone_brain)


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    warnings.simplefilter("ignore")
    work = {one.__name__: one for one in _works()}[sys.argv[1]]
    print(json.dumps(work(*sys.argv[2:])), flush=True)
