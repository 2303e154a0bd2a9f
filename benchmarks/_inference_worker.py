"""Run one contender of ``inference.py`` in its own process and print the seconds after the imports as JSON.

Called with the path of a JSON file (``model``: a version's folder, ``images``: paths, ``threads``, ``device``) and
the name of the measurement.
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _measure import Stopwatch
from PIL import Image

from customlabels_nb.images.reading import open_image, read_bytes
from customlabels_nb.inference.detect_many import detect_many
from customlabels_nb.inference.detection import detect
from customlabels_nb.inference.postprocess import Postprocessor
from customlabels_nb.inference.predictor import Predictor
from customlabels_nb.models.artifact import load_artifact
from customlabels_nb.user_settings import settings

BATCH, ONNX_BATCH = 32, 8
_KEPT_DECODED = 512  # number of images to time the network alone on, since all of them would fill the memory
_SINGLE = 60


def _timed(work: Callable[[], Any]) -> float:
    """Return the duration of one call in seconds."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _clocked(work: Callable[[], Any]) -> dict[str, float]:
    """Return the seconds and processor seconds of one call."""
    watch = Stopwatch()
    work()
    return watch.read()


def _postprocessor(task: dict[str, Any]) -> Postprocessor:
    """Return the postprocessor of a started predictor."""
    predictor = Predictor(Path(task["model"]))
    predictor.start(task["device"], engine=task.get("engine"))
    return Postprocessor(predictor)


def parts(task: dict[str, Any]) -> dict[str, Any]:
    """Measure decoding alone, the network alone, and ``detect_many``, which does both, on the same cores."""
    postprocessor, images = _postprocessor(task), task["images"]

    def prepare(name: str) -> Any:
        return postprocessor.prepare(read_bytes(name), name)

    def decoded(threads: int) -> float:
        with ThreadPoolExecutor(threads) as pool:
            return _timed(lambda: [None for _ in pool.map(lambda name: prepare(name) is None, images)])

    some = [prepare(name) for name in images[:_KEPT_DECODED]]
    postprocessor.ask(some[:BATCH])
    result: dict[str, Any] = {"images": len(images), "engine": repr(postprocessor.predictor.engine)}
    if task["device"].startswith("cuda"):  # its threads load kernels and allocate memory, as this thread just did
        detect_many(postprocessor.predictor, images[:_KEPT_DECODED])
    result["together"] = _timed(lambda: detect_many(postprocessor.predictor, images))
    result["decode"] = min(decoded(threads) for threads in {task["threads"], max(1, task["threads"] // 2)})
    result["forward"] = _timed(lambda: postprocessor.ask(some)) * len(images) / len(some)
    return result


def ours(task: dict[str, Any]) -> dict[str, Any]:
    """Measure ``detect_many`` and its peak memory."""
    postprocessor = _postprocessor(task)
    base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    table: Any = None

    def work() -> None:
        nonlocal table
        table = detect_many(postprocessor.predictor, task["images"], threshold=0)

    took = _clocked(work)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    what = f"detect_many, {postprocessor.predictor.engine!r}"
    unit = 1 if sys.platform == "darwin" else 1024
    return {**took, "what": what, "rows": len(table), "peak": peak * unit, "before": base * unit}


def torchvision_loop(task: dict[str, Any]) -> dict[str, Any]:
    """Measure a dataset, a loader with worker processes, transforms and a loop, as in torchvision's tutorials."""
    from torch.utils.data import DataLoader, Dataset
    from torchvision.transforms import v2

    network, config = load_artifact(Path(task["model"]))
    side = config.input_size
    transform = v2.Compose(
        [
            v2.Resize((side, side)),
            v2.PILToTensor(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(config.mean, config.std),
        ]
    )

    class Photos(Dataset):  # type: ignore[type-arg]
        def __len__(self) -> int:
            return len(task["images"])

        def __getitem__(self, at: int) -> Any:
            with Image.open(task["images"][at]) as image:
                return transform(image.convert("RGB"))

    network = network.to(task["device"])

    def work() -> None:
        found = []
        loader = DataLoader(Photos(), batch_size=BATCH, num_workers=task["threads"])
        with torch.inference_mode():
            for batch in loader:
                found.append(network(batch.to(task["device"])).softmax(dim=1).cpu())
        torch.cat(found)

    return {**_clocked(work), "what": f"torchvision + DataLoader, batches of {BATCH}, torch {torch.__version__}"}


def onnx_loop(task: dict[str, Any]) -> dict[str, Any]:
    """Measure a plain loop with Pillow, numpy and onnxruntime over the exported model."""
    import onnxruntime

    config = load_artifact(Path(task["model"]))[1]
    settings_ = onnxruntime.SessionOptions()
    settings_.intra_op_num_threads = task["threads"]
    session = onnxruntime.InferenceSession(task["onnx"], settings_, providers=["CPUExecutionProvider"])
    side = config.input_size
    mean, std = (np.asarray(one, dtype=np.float32).reshape(3, 1, 1) for one in (config.mean, config.std))

    def prepared(name: str) -> Any:
        with Image.open(name) as image:
            small = image.convert("RGB").resize((side, side), Image.Resampling.BILINEAR)
        return (np.asarray(small, dtype=np.float32).transpose(2, 0, 1) / 255 - mean) / std

    def work() -> None:
        images = task["images"]
        for start in range(0, len(images), ONNX_BATCH):
            session.run(None, {"images": np.stack([prepared(name) for name in images[start : start + ONNX_BATCH]])})

    return {**_clocked(work), "what": f"onnxruntime {onnxruntime.__version__}, batches of {ONNX_BATCH}"}


def single(task: dict[str, Any]) -> dict[str, Any]:
    """Measure the median time of one request, of decoding alone and of the network alone."""
    postprocessor = _postprocessor(task)
    names = task["images"][:_SINGLE]

    def median(work: Callable[[str], Any]) -> float:
        work(names[0])
        return statistics.median(_timed(lambda name=name: work(name)) for name in names)

    whole = {name: open_image(read_bytes(name), name=name) for name in names}
    some = {name: postprocessor.prepare_picture(whole[name]) for name in names}
    return {
        "detect": median(lambda name: detect(postprocessor.predictor, name)),
        "decode": median(lambda name: postprocessor.prepare_picture(open_image(read_bytes(name), name=name))),
        "forward": median(lambda name: postprocessor.ask([some[name]])),
    }


def start(task: dict[str, Any]) -> dict[str, Any]:
    """Measure the first start after the imports."""
    import timm  # noqa: F401
    import torchvision.models.detection  # noqa: F401

    from customlabels_nb.inference.engines import selection  # noqa: F401
    from customlabels_nb.models import detector_building  # noqa: F401

    try:
        import onnxruntime  # noqa: F401

        from customlabels_nb.inference.engines import onnx_writer  # noqa: F401
    except ImportError:
        pass
    predictor = Predictor(Path(task["model"]))
    seconds = _timed(lambda: predictor.start(task["device"]))
    return {"seconds": seconds, "engine": repr(predictor.engine)}


def given_back(task: dict[str, Any]) -> dict[str, Any]:
    """Measure the GPU memory still allocated after ``stop()``."""
    predictor = Predictor(Path(task["model"]))
    predictor.start("cuda")
    detect_many(predictor, task["images"][:_KEPT_DECODED])  # what the libraries allocate for its threads remains
    predictor.stop()
    before = torch.cuda.memory_reserved()
    predictor.start("cuda")
    detect_many(predictor, task["images"])
    peak = torch.cuda.max_memory_reserved()
    predictor.stop()
    return {"before": before, "peak": peak, "after": torch.cuda.memory_reserved()}


WORK = {one.__name__: one for one in (parts, ours, torchvision_loop, onnx_loop, single, start, given_back)}


def main() -> None:
    """Run the requested measurement and print its result."""
    task = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    torch.set_num_threads(task["threads"])
    settings.threads = task["threads"]
    print(json.dumps(WORK[sys.argv[2]](task)), flush=True)


if __name__ == "__main__":
    main()
