import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from customlabels_nb.errors import Cancelled
from customlabels_nb.events import Event, Events, Progress
from customlabels_nb.images.reading import open_image
from customlabels_nb.models.transforms import to_batch, to_pixels
from customlabels_nb.training.image_data import ImageChange, ImagePixels, apply_changes, draw_change
from tests.models.pictures import gradient, save_blots

SIDE = 32
BYTES = 3 * SIDE * SIDE


@pytest.fixture(scope="module")
def blots(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return save_blots(tmp_path_factory.mktemp("blots"), (200, 30, 30), 6)


def test_images_are_decoded_as_the_model_will_see_them_and_kept(blots: list[str], tmp_path: Path) -> None:
    copies = []
    for path in blots:
        copies.append(tmp_path / Path(path).name)
        copies[-1].write_bytes(Path(path).read_bytes())
    images = ImagePixels([path.name for path in copies], SIDE, root=tmp_path)
    expected = [to_pixels(open_image(path, at_least=SIDE), SIDE) for path in blots]
    for _ in range(2):
        found = images.load_all([3, 0, 5])
        assert [index for index, _ in found] == [3, 0, 5]
        assert all((pixels == expected[index]).all() for index, pixels in found)
        for path in copies:
            path.unlink(missing_ok=True)  # from now on they are only in memory
    assert images.load(1) is None
    with pytest.raises(ValueError, match="read-only"):
        found[0][1][0] = 0


def test_cache_stays_within_its_limit(blots: list[str]) -> None:
    images = ImagePixels(blots, SIDE, cache_bytes=2 * BYTES + 10)
    events, seen = Events(), []
    events.subscribe(seen.append)
    images.preload(events)
    assert images.cached_bytes == 2 * BYTES
    assert seen[0] == Progress("images", 0, 6)
    assert seen[-1] == Progress("images", 6, 6)
    assert all(images.load(i) is not None for i in range(6))
    assert images.cached_bytes == 2 * BYTES
    assert ImagePixels(blots, SIDE, cache_bytes=0).load(2) is not None


def test_unreadable_images_are_reported_once_in_order(blots: list[str], tmp_path: Path) -> None:
    broken = tmp_path / "<b>.jpg"
    broken.write_bytes(Path(blots[0]).read_bytes()[:300])
    images = ImagePixels([blots[0], str(broken), "gone.jpg"], SIDE)
    assert images.load(2) is None  # the order in which threads finish must not matter
    for _ in range(3):
        assert [index for index, _ in images.load_all([0, 1, 2])] == [0]
    assert [(issue.where, issue.code) for issue in images.issues] == [
        (str(broken), "IMAGE_TRUNCATED"),
        ("gone.jpg", "IMAGE_NOT_FOUND"),
    ]


def test_it_can_be_stopped_and_asked_from_many_threads(blots: list[str]) -> None:
    images, events = ImagePixels(blots, SIDE), Events()

    def stop(event: Event) -> None:
        if isinstance(event, Progress) and event.done == 2:
            events.cancel()

    events.subscribe(stop)
    with pytest.raises(Cancelled):
        images.preload(events)
    threads = [threading.Thread(target=images.load_all, args=(range(6),)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert images.cached_bytes == 6 * BYTES
    assert not images.issues


def batch() -> torch.Tensor:
    return to_batch([to_pixels(gradient(), SIDE), to_pixels(gradient(200, 300), SIDE)], (0.5,) * 3, (0.5,) * 3)


def test_the_plain_change_changes_nothing() -> None:
    images = batch()
    assert torch.allclose(apply_changes(images, [ImageChange(np.eye(2, 3), 1.0, 0.0)] * 2), images, atol=1e-5)


def test_mirrored_is_mirrored_and_light_is_light() -> None:
    images = batch()
    mirror = ImageChange(np.array([[-1.0, 0, 0], [0, 1, 0]]), 1.0, 0.0)
    lit = ImageChange(np.eye(2, 3), 1.0, 0.5)
    found = apply_changes(images, [mirror, lit])
    assert torch.allclose(found[0], images[0].flip(-1), atol=1e-5)
    assert torch.allclose(found[1], images[1] + 0.5, atol=1e-5)
    nearer = apply_changes(images, [ImageChange(np.array([[0.5, 0, 0], [0, 0.5, 0]]), 1.0, 0.0)] * 2)
    assert float(nearer[0, 0, 16, -1]) == pytest.approx(float(images[0, 0, 16, 24]), abs=0.1)


def test_mixed_precision_moves_images_as_exactly() -> None:
    images = to_batch([to_pixels(gradient(300, 200), 224)], (0.5,) * 3, (0.5,) * 3)
    changes = [draw_change(np.random.default_rng(3))]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = apply_changes(images, changes)
    assert torch.equal(found, apply_changes(images, changes))


def test_changes_are_drawn_from_the_seed_alone_and_keep_most_of_the_image() -> None:
    first = [draw_change(np.random.default_rng([1, step])) for step in range(200)]
    again = [draw_change(np.random.default_rng([1, step])) for step in range(200)]
    assert all((a.move == b.move).all() and a.contrast == b.contrast for a, b in zip(first, again, strict=True))
    areas = np.array([abs(np.linalg.det(change.move[:, :2])) for change in first])
    assert 0.4 < areas.min() < areas.max() < 1.7
    mirrored = np.array([np.linalg.det(change.move[:, :2]) < 0 for change in first])
    assert 0.3 < mirrored.mean() < 0.7
    turned_only = [draw_change(np.random.default_rng([1, step]), mirror=False) for step in range(200)]
    assert all(np.linalg.det(change.move[:, :2]) > 0 for change in turned_only)
    plain = [change for change in first if change.contrast == 1.0]
    assert 10 < len(plain) < 60
    images = batch()
    changed = apply_changes(images, first[:2])
    assert changed.shape == images.shape
    assert changed.is_contiguous(memory_format=torch.channels_last)
    assert torch.isfinite(changed).all()


def test_remote_images_and_other_types_are_read_like_any(tmp_path: Path) -> None:
    Image.new("RGBA", (50, 20), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    pixels = ImagePixels([f"file://{tmp_path}/clear.png"], SIDE).load(0)
    assert pixels is not None
    assert (pixels == 255).all()  # transparent is white
