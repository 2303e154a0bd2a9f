"""Write an annotated video, with predictions drawn on it, as an MP4 file that browsers can play."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from PIL import Image, ImageChops, ImageDraw

from customlabels_nb._utils.files import replacing
from customlabels_nb._utils.installing import install_command
from customlabels_nb._utils.text import one_line
from customlabels_nb.errors import CustomLabelsError, InputError
from customlabels_nb.events import Events
from customlabels_nb.images.box_drawing import SIDE, BoxPicture, LabelledBox, ink_on, plain_font
from customlabels_nb.inference.video_reading import VideoFile, prefetch, require_av
from customlabels_nb.user_settings import settings

#: Limits of the longest side in pixels. Small videos are enlarged to make space for labels.
LONGEST, LEAST = 1920, SIDE

#: Encoders in order of preference. Browsers can also play the formats listed after H.264.
_ENCODERS: tuple[tuple[str, dict[str, str]], ...] = (
    ("libx264", {"preset": "veryfast", "crf": "23"}),
    ("libopenh264", {}),
    ("h264_videotoolbox", {}),
    ("libvpx-vp9", {"deadline": "realtime", "cpu-used": "6", "crf": "32", "b": "0"}),
    ("libsvtav1", {"preset": "10", "crf": "35"}),
)
_TICKS = Fraction(1, 90_000)
_AHEAD = 4  # prefetched frames, decoded and drawn
_MOST_CHIPS = 5
_GREY = "#444444"
_MOST_ENLARGED = 4.0
_BT709, _TV_RANGE = 1, 1


@dataclass(frozen=True)
class Marks:
    """Boxes or image-level labels to draw from frame ``index`` until the next marks."""

    index: int
    boxes: Sequence[LabelledBox] = ()
    chips: Sequence[tuple[str, str]] = ()  # text, color


def write_annotated(video: VideoFile, marks: Sequence[Marks], path: Path, events: Events) -> str | None:
    """Write the video with ``marks`` drawn on it to ``path`` as MP4, with the original timestamps and without sound.

    Marks are in ascending order of their frame index. An existing file is replaced only when the new file is complete.
    A note is returned if the codec is not H.264.
    """
    av = require_av()
    try:
        with replacing(path) as file:
            return _write(av, video, marks, Path(file.name), events)
    except CustomLabelsError:
        raise
    except (OSError, av.error.FFmpegError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"to={str(path)!r} cannot be written: {reason}.") from error


def _write(av: Any, video: VideoFile, marks: Sequence[Marks], path: Path, events: Events) -> str | None:
    total = video.count
    with av.open(f"file:{path.absolute()}", "w", format="mp4", options={"movflags": "faststart"}) as container:
        stream, remark, first, last = None, None, None, -1
        for index, seconds, picture in prefetch(_drawn(video, marks), _AHEAD):
            if stream is None:
                stream, remark = _add_stream(av, container, picture.size)
                first = seconds
            frame = av.VideoFrame.from_image(picture).reformat(
                format="yuv420p", src_colorspace="ITU709", dst_colorspace="ITU709"
            )
            frame.time_base = _TICKS
            frame.pts = last = max(last + 1, round(float(seconds - first) / float(_TICKS)))
            container.mux(stream.encode(frame))
            events.progress("draw", index + 1, None if total is None else max(total, index + 1), "frames")
        assert stream is not None  # reading a video without frames raises an error
        container.mux(stream.encode(None))
    return remark


def _drawn(video: VideoFile, marks: Sequence[Marks]) -> Iterator[tuple[int, Any, Image.Image]]:
    """Yield the index and time of each frame and its image at the output size, with its marks drawn."""
    following, overlay = iter(marks), None
    upcoming = next(following, None)
    for frame in video.frames():
        picture = frame.picture()
        size = _written_size(video.size)
        if picture.size != size:
            picture = picture.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
        while upcoming is not None and upcoming.index <= frame.index:
            has_marks = upcoming.boxes or upcoming.chips
            overlay = _Overlay(upcoming, video.size, size) if has_marks else None
            upcoming = next(following, None)
        yield frame.index, frame.seconds, picture if overlay is None else overlay.on(picture)


def _written_size(size: tuple[int, int]) -> tuple[int, int]:
    """Return the nearest size within the limits that has even sides, as 4:2:0 chroma subsampling requires."""
    scale = min(LONGEST / max(size), max(1.0, min(_MOST_ENLARGED, LEAST / max(size))))
    return max(16, round(size[0] * scale / 2) * 2), max(16, round(size[1] * scale / 2) * 2)


class _Overlay:
    """Layer of marks that is drawn once and composited onto each frame, with boxes scaled from the source video."""

    def __init__(self, marks: Marks, frame_size: tuple[int, int], size: tuple[int, int]) -> None:
        # drawing the marks on black and on white gives both their color and their transparency
        self._added, white = (_drawn_on(ground, marks, frame_size, size) for ground in (0, 255))
        self._let_through = ImageChops.subtract(white, self._added)

    def on(self, picture: Image.Image) -> Image.Image:
        return ImageChops.add(ImageChops.multiply(picture, self._let_through), self._added)


def _drawn_on(grey: int, marks: Marks, frame_size: tuple[int, int], size: tuple[int, int]) -> Image.Image:
    ground = (grey, grey, grey)
    if not marks.boxes:
        page = Image.new("RGB", size, ground)
        _draw_chips(page, marks.chips)
        return page
    boxes = BoxPicture(Image.new("RGB", frame_size, ground), marks.boxes)
    return boxes.to_picture(max(size) / max(boxes.size)).resize(size)


def _draw_chips(page: Image.Image, chips: Sequence[tuple[str, str]]) -> None:
    """Draw labels below each other in the upper left corner, each on a background in its color."""
    unit = max(page.size) / SIDE
    pen = ImageDraw.Draw(page)
    font, gap, height, side = plain_font(max(8, round(14 * unit))), 6 * unit, 24 * unit, 9 * unit
    hidden = len(chips) - _MOST_CHIPS
    for row, (words, color) in enumerate([*chips[:_MOST_CHIPS], *([(f"and {hidden} more", _GREY)] * (hidden > 0))]):
        text = _fitting(one_line(words), page.width - 2 * (gap + side), font)
        top = gap + row * (height + gap)
        if not text or top + height > page.height:
            return
        right = gap + 2 * side + font.getlength(text)
        pen.rounded_rectangle((gap, top, right, top + height), height / 2, fill=color)
        pen.text((gap + side, top + height / 2), text, fill=ink_on(color), font=font, anchor="lm")


def _fitting(text: str, width: float, font: Any) -> str:
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"{text}…") > width:
        text = text[:-1]
    return f"{text}…" if text else ""


def _add_stream(av: Any, container: Any, size: tuple[int, int]) -> tuple[Any, str | None]:
    """Add a stream with the best available codec. Return it, with a note if the codec is not H.264."""
    for name, options in _ENCODERS:
        try:
            av.Codec(name, "w")
        except (av.error.FFmpegError, ValueError):
            continue
        stream = container.add_stream(name, rate=30, options=dict(options))
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.time_base = _TICKS
        context.thread_count = settings.threads
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _TV_RANGE
        is_h264 = "264" in name or name == "h264_videotoolbox"
        return stream, None if is_h264 else f"Compressed with {name}, because this build of PyAV has no H.264 encoder."
    raise InputError(
        "The annotated video cannot be written, because this build of PyAV has no encoder for a format that browsers "
        f"can play. Reinstall PyAV with: {install_command('--force-reinstall', 'av')}"
    )
