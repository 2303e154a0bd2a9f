import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from customlabels_nb.errors import ArtifactError, DeviceError, InputError, ModelError
from customlabels_nb.inference.predictor import Predictor
from customlabels_nb.models.artifact import WEIGHTS, update_config
from customlabels_nb.models.transforms import to_pixels


def test_it_answers_while_it_runs_and_only_then(model_folder: Path, blots: dict[str, list[str]]) -> None:
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


def test_wrong_pixels_are_refused(predictor: Predictor) -> None:
    with pytest.raises(InputError, match=r"images\[0\] is uint8 \(3, 10, 10\)"):
        predictor.probabilities([np.zeros((3, 10, 10), np.uint8)])
    with pytest.raises(InputError, match=r"images\[1\] is float64"):
        predictor.probabilities([np.zeros((3, 224, 224), np.uint8), np.zeros((3, 224, 224))])
    with pytest.raises(InputError, match="is str"):
        predictor.probabilities(["photo.jpg"])


def test_an_absent_device_leaves_things_as_they_were(model_folder: Path) -> None:
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


def test_damaged_folders(model_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError):
        Predictor(tmp_path)
    copied = shutil.copytree(model_folder, tmp_path / "copy")
    (copied / WEIGHTS).write_bytes(b"")
    predictor = Predictor(copied)
    with pytest.raises(ArtifactError, match=WEIGHTS):
        predictor.start("cpu")
    assert not predictor.running


def test_many_threads_start_ask_and_stop(model_folder: Path) -> None:
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
