import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from customlabels_nb.errors import InputError, LabelError, ModelError
from customlabels_nb.events import Event, Events, Message, Progress
from customlabels_nb.inference import batch
from customlabels_nb.inference.detect_many import describe_unfinished, detect_many
from customlabels_nb.inference.predictor import Predictor
from tests.facts import tells

COLUMNS = ["image", "label", "confidence"]


@pytest.fixture(scope="module")
def images(blots: dict[str, list[str]]) -> list[str]:
    return [path for paths in blots.values() for path in paths]


def test_one_table_for_many_images(predictor: Predictor, images: list[str]) -> None:
    found = detect_many(predictor, images)
    assert list(found.columns) == COLUMNS
    assert found["image"].tolist() == images
    assert found["label"].tolist() == ["red"] * 6 + ["green"] * 6 + ["blue"] * 6
    assert found["confidence"].between(0.4, 1).all()
    assert (found.dtypes[COLUMNS[2:]] == np.float64).all()
    assert found.attrs == {"decision": {"red": 0.4, "green": 0.5, "blue": 0.5}, "errors": []}


def test_batch_size_does_not_change_results(predictor: Predictor, images: list[str]) -> None:
    some = images[3:10]
    whole = detect_many(predictor, some, threshold=0)
    assert len(whole) == 21
    for size in (1, 5, 100):
        pd.testing.assert_frame_equal(detect_many(predictor, some, threshold=0, batch_size=size), whole, atol=1e-5)


def test_two_batches_at_a_time_keep_the_order_and_are_halved_if_memory_runs_out(
    predictor: Predictor, images: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, ask = detect_many(predictor, images, threshold=0), predictor.probabilities
    together, most = threading.Barrier(2, timeout=60), 4

    def probabilities(pixels: Sequence[Any], *, at_once: int) -> Any:
        if len(pixels) > most:
            together.wait()  # both batches are processed at the same time
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return ask(pixels, at_once=at_once)

    monkeypatch.setattr(batch, "batches_at_a_time", lambda device: 2)
    # setattr of pytest 8 would leave the method on the shared predictor, which then ignores patches of its class
    monkeypatch.setitem(vars(predictor), "probabilities", probabilities)
    events, told = Events(), []
    events.subscribe(lambda event: told.append(event.text) if isinstance(event, Message) else None)
    found = detect_many(predictor, images, threshold=0, batch_size=len(images) // 2, events=events)
    pd.testing.assert_frame_equal(found, whole, atol=1e-5)
    assert [tells(text, len(images) // 2, most) for text in told] == [True, True]


def test_detections_are_sorted_by_confidence(predictor: Predictor, images: list[str]) -> None:
    found = detect_many(predictor, images[:4], threshold=0, max_results=2)
    assert found["image"].tolist() == [path for path in images[:4] for _ in range(2)]
    assert found.groupby("image")["confidence"].apply(lambda column: column.is_monotonic_decreasing).all()
    assert detect_many(predictor, images[:4], threshold={"red": 1.0}).empty


def test_folders_patterns_and_tables(predictor: Predictor, images: list[str]) -> None:
    folder = Path(images[0]).parent
    for sources in (folder, f"{folder}/*.jpg", pd.DataFrame({"image": images[:6]})):
        assert detect_many(predictor, sources)["label"].tolist() == ["red"] * 6
    assert detect_many(predictor, "red/0.jpg", root=folder.parent)["image"].tolist() == ["red/0.jpg"]


def test_unreadable_images_are_listed_and_skipped(predictor: Predictor, images: list[str], tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no image")
    (tmp_path / "cut.jpg").write_bytes(Path(images[1]).read_bytes()[:700])
    (tmp_path / "empty.jpg").touch()
    bad = [str(tmp_path / name) for name in ("text.jpg", "gone.jpg", "cut.jpg", "empty.jpg")]
    found = detect_many(predictor, [bad[0], images[0], bad[1], bad[2], images[17], bad[3]], batch_size=2)
    assert found["image"].tolist() == [images[0], images[17]]
    assert [(error["image"], error["code"]) for error in found.attrs["errors"]] == [
        (bad[0], "IMAGE_NOT_AN_IMAGE"),
        (bad[1], "IMAGE_NOT_FOUND"),
        (bad[2], "IMAGE_TRUNCATED"),
        (bad[3], "IMAGE_NOT_AN_IMAGE"),
    ]
    assert all(error["message"] for error in found.attrs["errors"])
    only_bad = detect_many(predictor, bad)
    assert list(only_bad.columns) == COLUMNS
    (rest,) = describe_unfinished(only_bad)
    assert tells(rest, 4, ".attrs['errors']")


def test_no_images_give_an_empty_table(predictor: Predictor) -> None:
    found = detect_many(predictor, [])
    assert found.empty
    assert (found.dtypes[COLUMNS[2:]] == np.float64).all()


@pytest.mark.parametrize("by_keyboard", [True, False])
def test_interrupt_keeps_results_and_lists_remaining_images(
    predictor: Predictor, images: list[str], by_keyboard: bool
) -> None:
    events = Events()

    def stop(event: Event) -> None:
        if isinstance(event, Progress) and event.done >= 8:
            if by_keyboard:
                raise KeyboardInterrupt
            events.cancel()

    events.subscribe(stop)
    part = detect_many(predictor, images, batch_size=4, events=events)
    assert part.attrs["interrupted"] is True
    left = len(part.attrs["remaining"])
    assert describe_unfinished(part) == [f"Stopped: {left} images are left. They are listed in .attrs['remaining']."]
    assert 8 <= len(part) < 18
    rest = detect_many(predictor, part.attrs["remaining"], batch_size=4)
    assert "interrupted" not in rest.attrs
    assert [*part["image"], *rest["image"]] == images


def test_progress_counts_images(predictor: Predictor, images: list[str]) -> None:
    events, seen = Events(), []
    events.subscribe(seen.append)
    detect_many(predictor, images, batch_size=10, events=events)
    assert seen == [Progress("detect", 10, 18), Progress("detect", 18, 18)]


def test_bad_arguments_are_refused_before_any_work(predictor: Predictor, model_folder: Path, images: list[str]) -> None:
    with pytest.raises(InputError, match="threshold=80"):
        detect_many(predictor, images, threshold=80)
    with pytest.raises(LabelError, match="pear"):
        detect_many(predictor, images, threshold={"pear": 0.1})
    with pytest.raises(InputError, match="max_results"):
        detect_many(predictor, images, max_results=0)
    with pytest.raises(InputError, match="batch_size"):
        detect_many(predictor, images, batch_size=0)
    with pytest.raises(InputError, match="contains no images"):
        detect_many(predictor, "nothing/*.jpg")
    with pytest.raises(ModelError, match="start"):
        detect_many(Predictor(model_folder), images)


def test_names_relative_to_folder_and_project_are_found(
    predictor: Predictor, images: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here.jpg").write_bytes(Path(images[0]).read_bytes())
    monkeypatch.chdir(tmp_path)
    root = Path(images[0]).parent.parent
    found = detect_many(predictor, pd.DataFrame({"image": ["here.jpg", "blue/0.jpg", "gone.jpg"]}), root=root)
    assert found[["image", "label"]].to_numpy().tolist() == [["here.jpg", "red"], ["blue/0.jpg", "blue"]]
    assert [error["image"] for error in found.attrs["errors"]] == ["gone.jpg"]


def test_unreadable_files_of_a_folder_are_listed(predictor: Predictor, images: list[str], tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(Path(images[0]).read_bytes())
    (tmp_path / "b.psd").touch()
    found = detect_many(predictor, tmp_path)
    assert len(found) == 1
    assert [(Path(e["image"]).name, e["code"]) for e in found.attrs["errors"]] == [("b.psd", "IMAGE_TYPE_UNSUPPORTED")]
