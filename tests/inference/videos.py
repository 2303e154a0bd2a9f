"""Videos created with PyAV for tests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def write_video(
    path: Path,
    pictures: Iterable[Image.Image],
    *,
    times_ms: Sequence[int] | None = None,
    rate: int = 10,
    codec: str = "libx264",
    turned: int | None = None,
    flipped: bool = False,
    pixel: Fraction | None = None,
    sound: bool = False,
    options: dict[str, str] | None = None,
    form: str | None = None,
) -> Path:
    """Write a video of equally sized images, one per frame, rotated counter-clockwise in degrees by its header."""
    import av

    with av.open(str(path), "w", format=form, options=options or {}) as container:
        stream: Any = None
        if sound:
            voice = container.add_stream("aac", rate=16_000)
            voice.layout = "mono"
        for number, picture in enumerate(pictures):
            if stream is None:
                stream = container.add_stream(codec, rate=rate, options={"crf": "12"} if codec == "libx264" else {})
                stream.width, stream.height = picture.size
                stream.bit_rate = 8_000_000
                odd = picture.width % 2 or picture.height % 2
                stream.pix_fmt = "yuv444p" if odd else "yuv420p"
                stream.codec_context.time_base = Fraction(1, 1000) if times_ms else Fraction(1, rate)
                if pixel is not None:
                    stream.codec_context.sample_aspect_ratio = pixel
                if turned is not None or flipped:
                    stream.set_display_rotation(turned or 0, hflip=flipped)
            frame = av.VideoFrame.from_image(picture)
            frame.time_base = stream.codec_context.time_base
            frame.pts = times_ms[number] if times_ms else number
            container.mux(stream.encode(frame))
        if stream is not None:
            container.mux(stream.encode(None))
        if sound:
            for start in range(0, 16_000, 1024):
                samples = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
                samples.sample_rate, samples.pts = 16_000, start
                container.mux(voice.encode(samples))
            container.mux(voice.encode(None))
    return path


def read_video(path: Path) -> tuple[list[float], list[Image.Image], dict[str, Any]]:
    """Return the times in ms and images of all frames as stored, and the file's metadata."""
    import av

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        facts = {
            "codec": stream.codec_context.name,
            "pix_fmt": stream.codec_context.pix_fmt,
            "sound": bool(container.streams.audio),
        }
        frames = [(float(frame.time) * 1000, frame.to_image()) for frame in container.decode(stream)]
    return [time for time, _ in frames], [picture for _, picture in frames], facts


def boxes_of(path: Path) -> list[str]:
    """Return the outermost boxes of an MP4 file in order."""
    data, at, names = path.read_bytes(), 0, []
    while at + 8 <= len(data):
        names.append(data[at + 4 : at + 8].decode("latin-1"))
        at += max(8, int.from_bytes(data[at : at + 4], "big"))
    return names
