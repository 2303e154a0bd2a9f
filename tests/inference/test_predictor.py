import gc
import shutil
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from customlabels_nb.errors import ArtifactError, DeviceError, InputError, ModelError
from customlabels_nb.inference import predictor as predictor_module
from customlabels_nb.inference.idle import format_duration
from customlabels_nb.inference.postprocess import Postprocessor
from customlabels_nb.inference.predictor import Predictor
from customlabels_nb.inference.views import LARGER, fuse_boxes
from customlabels_nb.models.artifact import WEIGHTS, update_config
from customlabels_nb.models.canvas import to_canvas
from customlabels_nb.models.transforms import to_pixels
from tests.waiting import wait_until


def test_predictor_answers_only_while_it_runs(model_folder: Path, blots: dict[str, list[str]]) -> None:
    predictor = Predictor(model_folder)
    with Image.open(blots["green"][0]) as image:
        assert not predictor.running
        assert predictor.device is None
        with pytest.raises(ModelError, match=r"start\(\)"):
            predictor.probabilities([image])
        predictor.start("cpu")
        predictor.start()
        assert predictor.running
        assert predictor.device == "cpu"
        assert "running on cpu" in repr(predictor)
        found = predictor.probabilities([image])
        predictor.stop()
        predictor.stop()
        with pytest.raises(ModelError, match=r"start\(\)"):
            predictor.probabilities([image])
    assert found.shape == (1, 3)
    assert found.dtype == np.float64
    assert found[0].argmax() == 1


def test_pictures_and_pixels_in_any_number(predictor: Predictor, blots: dict[str, list[str]]) -> None:
    images = [Image.open(paths[0]).convert("RGB") for paths in blots.values() for _ in range(3)]
    found = predictor.probabilities(images)
    assert found.sum(axis=1) == pytest.approx(1)
    assert found.argmax(axis=1).tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert predictor.probabilities([to_pixels(image, 224) for image in images]) == pytest.approx(found)
    assert predictor.probabilities([]).shape == (0, 3)


def test_several_views_are_averaged_if_asked_for(model_folder: Path, blots: dict[str, list[str]]) -> None:
    def shown(image: Image.Image) -> list[Image.Image]:
        edge = image.width * 0.1
        centre = image.resize(
            image.size, Image.Resampling.BICUBIC, (edge, edge, image.width - edge, image.height - edge)
        )
        return [each for view in (image, centre) for each in (view, ImageOps.mirror(view))]

    images = [Image.open(paths[0]).convert("RGB").resize((224, 224)) for paths in blots.values()]
    predictor = Predictor(model_folder)
    predictor.start("cpu", engine="torch")
    alone = np.stack([predictor.probabilities(shown(image)) for image in images])
    for views in (2, 4, 1):
        predictor.start(views=views)
        assert predictor.probabilities(images, at_once=2) == pytest.approx(alone[:, :views].mean(axis=1), abs=1e-6)
    with pytest.raises(InputError, match=r"views=3 must be 1, 2 .* or 4"):
        predictor.start(views=3)
    predictor.start(views=2)
    predictor.stop()
    assert predictor.views == 1


def test_a_detector_fuses_mirrored_and_larger_views(detector_folder: Path, blots: dict[str, list[str]]) -> None:
    predictor, name = Predictor(detector_folder), blots["red"][0]
    predictor.start("cpu", engine="torch", views=2)
    image, size = Image.open(name).convert("RGB"), predictor.config.input_size
    of_two = [
        predictor.boxes([to_canvas(image, round(scale * size), predictor.config.fill)])[0] for scale in (1, LARGER)
    ]
    expected = fuse_boxes(*of_two)
    predictor.start(views=4)
    (found,) = predictor.boxes([image])
    assert found.boxes == pytest.approx(expected.boxes)
    assert found.confidences == pytest.approx(expected.confidences)
    assert found.confidences != pytest.approx(of_two[0].confidences)
    canvas = Postprocessor(predictor).prepare(Path(name).read_bytes(), name)
    assert predictor.boxes([canvas])[0].confidences == pytest.approx(expected.confidences, abs=0.02)


def test_wrong_pixels_are_refused(predictor: Predictor) -> None:
    with pytest.raises(InputError, match=r"images\[0\] is uint8 \(3, 10, 10\)"):
        predictor.probabilities([np.zeros((3, 10, 10), np.uint8)])
    with pytest.raises(InputError, match=r"images\[1\] is float64"):
        predictor.probabilities([np.zeros((3, 224, 224), np.uint8), np.zeros((3, 224, 224))])
    with pytest.raises(InputError, match="is str"):
        predictor.probabilities(["photo.jpg"])


def test_missing_device_changes_nothing(model_folder: Path) -> None:
    predictor = Predictor(model_folder)
    with pytest.raises(DeviceError, match="cuda:99"):
        predictor.start("cuda:99")
    assert not predictor.running
    predictor.start("cpu")
    with pytest.raises(DeviceError):
        predictor.start("cuda:99")
    assert predictor.device == "cpu"


def test_thresholds_written_while_it_runs_count(predictor: Predictor, model_folder: Path) -> None:
    before = predictor.config
    try:
        update_config(model_folder, replace(before, thresholds={"blue": 0.9}))
        assert predictor.config.threshold_of("blue") == 0.9
    finally:
        update_config(model_folder, before)


def test_damaged_model_folders_are_refused(model_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError):
        Predictor(tmp_path)
    copied = shutil.copytree(model_folder, tmp_path / "copy")
    (copied / WEIGHTS).write_bytes(b"")
    predictor = Predictor(copied)
    with pytest.raises(ArtifactError, match=WEIGHTS):
        predictor.start("cpu")
    assert not predictor.running


@pytest.mark.thorough
def test_threads_start_predict_and_stop_concurrently(model_folder: Path) -> None:
    predictor = Predictor(model_folder)
    blank = np.zeros((3, 224, 224), np.uint8)
    barrier = threading.Barrier(4)

    def work(number: int) -> list[str]:
        barrier.wait()
        outcomes = []
        for _ in range(5):
            predictor.start("cpu")
            try:
                outcomes.append(str(predictor.probabilities([blank]).shape))
            except ModelError:  # another thread stopped it in between
                outcomes.append("stopped")
            if number == 0:
                predictor.stop()
        return outcomes

    with ThreadPoolExecutor(4) as pool:
        outcomes = {outcome for found in pool.map(work, range(4)) for outcome in found}
    assert outcomes <= {"(1, 3)", "stopped"}
    assert "(1, 3)" in outcomes


BLANK = np.zeros((3, 224, 224), np.uint8)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> tuple[threading.Event, threading.Event]:
    """Make each forward pass signal that it has begun and wait for permission to continue."""
    begun, go_on = threading.Event(), threading.Event()
    forward = predictor_module._Running.forward

    def waiting(self: Any, pixels: Any) -> Any:
        begun.set()
        assert go_on.wait(20)
        return forward(self, pixels)

    monkeypatch.setattr(predictor_module._Running, "warm_up", lambda self: None)
    monkeypatch.setattr(predictor_module._Running, "forward", waiting)
    return begun, go_on


def test_stopping_waits_for_running_predictions(
    model_folder: Path, slow: tuple[threading.Event, threading.Event]
) -> None:
    begun, go_on = slow
    predictor = Predictor(model_folder)
    predictor.start("cpu")
    with ThreadPoolExecutor(3) as pool:
        answer = pool.submit(predictor.probabilities, [BLANK])
        assert begun.wait(20)
        stopping = pool.submit(predictor.stop)
        wait_until(lambda: not predictor.running)
        with pytest.raises(ModelError, match=r"start\(\)"):
            predictor.probabilities([BLANK])
        assert not stopping.done()
        go_on.set()
        assert answer.result(20).shape == (1, 3)
        stopping.result(20)


@pytest.mark.parametrize("ends", [Predictor.stop, lambda predictor: predictor.start("cpu")], ids=["stop", "move"])
def test_stopped_model_releases_its_weights(model_folder: Path, ends: Callable[[Predictor], None]) -> None:
    predictor = Predictor(model_folder)
    predictor.start("cpu", engine="torch")
    predictor.probabilities([BLANK])
    running = predictor._running
    assert running is not None
    network = running._engine.network  # type: ignore[union-attr]
    gone = [weakref.ref(network), *(weakref.ref(parameter) for parameter in network.parameters())]
    del network
    running.device = "another"  # so that a start moves it
    ends(predictor)
    gc.collect()
    assert len(gone) > 100
    assert all(reference() is None for reference in gone)  # although the test still has the running object
    predictor.stop()


def test_idle_model_sleeps_and_wakes_on_detect(model_folder: Path) -> None:
    changes: list[bool] = []
    predictor = Predictor(model_folder, changed=lambda: changes.append(predictor.running))
    predictor.start("cpu", idle_stop=0.3)
    before = predictor.probabilities([BLANK])
    wait_until(lambda: changes == [False])
    assert (predictor.running, predictor.asleep, predictor.device) == (False, True, "cpu")
    assert predictor.probabilities([BLANK]) == pytest.approx(before)
    assert changes[:2] == [False, True]
    wait_until(lambda: changes == [False, True, False])  # it becomes idle again
    predictor.stop()
    assert not predictor.asleep
    assert predictor.idle_stop == float("inf")
    with pytest.raises(ModelError, match=r"start\(\)"):
        predictor.probabilities([BLANK])


def test_predictions_keep_the_model_awake(model_folder: Path, slow: tuple[threading.Event, threading.Event]) -> None:
    begun, go_on = slow
    changes: list[bool] = []
    predictor = Predictor(model_folder, changed=lambda: changes.append(True))
    predictor.start("cpu", idle_stop="0.2s")
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(predictor.probabilities, [BLANK])
        assert begun.wait(20)
        time.sleep(0.6)
        assert predictor.running
        go_on.set()
        answer.result(20)
    predictor.start(idle_stop="never")
    time.sleep(0.6)
    assert predictor.running
    assert changes == []
    predictor.stop()


@pytest.mark.parametrize("idle", ["soon", "", 0, -1, True, float("nan"), [], "50000min", float("inf")])
def test_invalid_idle_times_are_refused(model_folder: Path, idle: Any) -> None:
    predictor = Predictor(model_folder)
    with pytest.raises(InputError, match="idle_stop="):
        predictor.start("cpu", idle_stop=idle)
    assert not predictor.running


def test_durations_are_written_in_words() -> None:
    told = [format_duration(seconds) for seconds in (0.5, 1, 60, 90, 600, 3600, 5400, 7200)]
    assert told == [
        "0.5 seconds", "1 second", "1 minute", "90 seconds", "10 minutes", "1 hour", "90 minutes", "2 hours",
    ]  # fmt: skip


def test_idle_timer_does_not_keep_a_dropped_predictor_alive(model_folder: Path) -> None:
    predictor = Predictor(model_folder)
    predictor.start("cpu", idle_stop="1h")
    reference = weakref.ref(predictor)
    del predictor
    deadline = time.monotonic() + 20  # the watch holds it while it looks, then sleeps for a minute
    while reference() is not None and time.monotonic() < deadline:
        gc.collect()
        time.sleep(0.01)
    assert reference() is None


def test_waiting_threads_do_not_block_exit() -> None:
    code = (
        "from customlabels_nb.inference.idle import IdleWatch\n"
        "class Model:\n"
        "    def sleep_if_idle(self): print('asked', flush=True); return 3600.0\n"
        "model = Model(); watch = IdleWatch(model)\n"
        "import time; time.sleep(0.5)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "asked\n", "")


@pytest.mark.thorough
def test_several_models_run_at_once(model_folder: Path, detector_folder: Path, blots: dict[str, list[str]]) -> None:
    classifiers = [Predictor(model_folder), Predictor(model_folder)]
    detector = Predictor(detector_folder)
    for one in (*classifiers, detector):
        one.start("cpu")
    images = [Image.open(paths[0]).convert("RGB") for paths in blots.values()]
    alone, boxes = classifiers[0].probabilities(images), detector.boxes(images)
    with ThreadPoolExecutor(6) as pool:
        found = [pool.submit(one.probabilities, images) for one in classifiers * 2]
        found_boxes = [pool.submit(detector.boxes, images) for _ in range(2)]
        classifiers[1].stop()  # others continue
        answered = [future.result(60) for future in found if future.exception(60) is None]
        for future in found_boxes:
            for one, truth in zip(future.result(60), boxes, strict=True):
                np.testing.assert_allclose(one.boxes, truth.boxes, atol=1e-3)
    assert len(answered) >= 2
    assert all(one == pytest.approx(alone, abs=1e-5) for one in answered)
    assert classifiers[0].running
    assert detector.running
    for one in (classifiers[0], detector):
        one.stop()


def test_requests_for_a_gpu_share_a_thread(monkeypatch: pytest.MonkeyPatch, model_folder: Path) -> None:
    predictor = Predictor(model_folder)
    predictor.start("cpu", engine="torch")
    running: Any = predictor._running
    monkeypatch.setattr(running._engine, "forward", lambda pixels: threading.get_ident())
    both = threading.Barrier(2)

    def ask() -> int:
        both.wait()
        return int(running.forward([]))

    def threads(device: str) -> set[int]:
        running.device = device
        with ThreadPoolExecutor(2) as pool:
            return {future.result() for future in [pool.submit(ask) for _ in range(2)]}

    assert len(threads("cpu")) == 2
    assert len(threads("cuda")) == 1
    assert threads("cuda") == threads("cuda") != threads("cuda:1")
    running.device = "cpu"
    predictor.stop()
