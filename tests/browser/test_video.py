"""Test that a browser plays an annotated video."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from PIL import Image
from playwright.sync_api import Browser

from customlabels_nb.events import Events
from customlabels_nb.inference.video import VideoDetection, target_of
from customlabels_nb.inference.video_reading import open_source
from tests.conftest import AllowedSkip
from tests.inference.videos import write_video

pytestmark = pytest.mark.browser


@pytest.fixture
def found(tmp_path: Path) -> VideoDetection:
    """Return detections in a video of two seconds, with a box in the second one."""
    path = write_video(tmp_path / "clip.mov", [Image.new("RGB", (401, 301), "grey")] * 20, turned=90)
    columns = {"frame": 10, "timestamp_ms": 1000, "label": "wave", "confidence": 0.9}
    box = {"left": 60.0, "top": 80.0, "width": 120.0, "height": 200.0}
    table = pd.DataFrame([{**columns, **box}])
    frames = pd.DataFrame({"frame": [0, 10], "timestamp_ms": [0, 1000], "found": [0, 1]})
    result = VideoDetection(str(path), table, frames, (301, 401), 2000.0, {"wave": "#c8553d"})
    result.reopen = lambda: open_source(str(path))
    result._write(target_of(tmp_path / "drawn.mp4", str(path)), Events())
    return result


def test_video_plays_upright_with_boxes_in_time(browser: Browser, found: VideoDetection) -> None:
    page = browser.new_context().new_page()
    try:
        page.set_content(found._repr_html_())
        if not page.evaluate("""document.createElement("video").canPlayType('video/mp4; codecs="avc1.640028"')"""):
            raise AllowedSkip("this Chromium has no H.264")
        page.wait_for_function("document.querySelector('video').readyState >= 2")
        facts = page.evaluate(
            "(() => { const v = document.querySelector('video'); return [v.videoWidth, v.videoHeight, v.duration] })()"
        )
        assert facts[:2] == [480, 640]  # upright, and enlarged for the label text
        assert facts[2] == pytest.approx(2, abs=0.15)
        page.evaluate("document.querySelector('video').play()")
        page.wait_for_function("document.querySelector('video').currentTime > 0.5")
        moments = {second: _red_at(page, second) for second in (0.5, 1.5)}
    finally:
        page.close()
    assert moments[0.5] < 10 < 60 < moments[1.5]


def _red_at(page: object, second: float) -> float:
    """Return the excess of red over green at the box's left line, at a time in seconds."""
    return page.evaluate(  # type: ignore[attr-defined, no-any-return]
        """async (second) => {
            const video = document.querySelector("video");
            video.pause();
            await new Promise((done) => {
                video.addEventListener("seeked", done, { once: true });
                video.currentTime = second;
            });
            const canvas = document.createElement("canvas");
            canvas.width = video.videoWidth; canvas.height = video.videoHeight;
            const pen = canvas.getContext("2d");
            pen.drawImage(video, 0, 0);
            const x = Math.round(60 / 301 * canvas.width), y = Math.round(180 / 401 * canvas.height);
            const data = pen.getImageData(x - 1, y, 3, 1).data;
            return Math.max(...[0, 4, 8].map((at) => data[at] - data[at + 1]));
        }""",
        second,
    )
