"""Read video files with PyAV, decode their frames as upright images, and prefetch them."""

from __future__ import annotations

import os
import queue
import stat
import tempfile
import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO, TypeVar

import numpy as np
from PIL import Image

from customlabels_nb._utils.files import scratch
from customlabels_nb._utils.installing import extra_command
from customlabels_nb.core.limits import LOCAL
from customlabels_nb.errors import MissingDependencyError, NotAVideoError, TruncatedVideoError, VideoError
from customlabels_nb.images.locations import is_remote, to_path
from customlabels_nb.remote.remote_files import download
from customlabels_nb.user_settings import settings

Item = TypeVar("Item")

#: Accepted containers. Playlists and similar formats are excluded, because they refer to other files and URLs.
_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,ogg,flv,asf,mxf,gif,h264,hevc,m4v,ivf,dv,nut"
)
_NOT_READ = "it is not a video of a supported type: MP4, MOV, MKV, WebM, AVI, MPEG, OGG, WMV, FLV or GIF."
MAX_PIXELS = LOCAL.max_pixels
_MAX_BYTES = LOCAL.max_archive_bytes
_WIDEST_PIXEL = 4.0
_DISPLAY_MATRIX = "DISPLAYMATRIX"

_T = Image.Transpose
#: Transposition that makes an image upright, by the directions that its right and lower sides face when displayed.
_TURNS = {
    ((0, 1), (-1, 0)): _T.ROTATE_270,
    ((-1, 0), (0, -1)): _T.ROTATE_180,
    ((0, -1), (1, 0)): _T.ROTATE_90,
    ((-1, 0), (0, 1)): _T.FLIP_LEFT_RIGHT,
    ((1, 0), (0, -1)): _T.FLIP_TOP_BOTTOM,
    ((0, 1), (1, 0)): _T.TRANSPOSE,
    ((0, -1), (-1, 0)): _T.TRANSVERSE,
}
_ACROSS = (_T.ROTATE_90, _T.ROTATE_270, _T.TRANSPOSE, _T.TRANSVERSE)


def require_av() -> ModuleType:
    """Import PyAV, which reads and writes videos."""
    try:
        import av
    except ImportError as error:
        message = f"Reading videos requires PyAV. Install it with: {extra_command('video')}"
        raise MissingDependencyError(message) from error
    return av


@dataclass(frozen=True)
class VideoFrame:
    """Frame of a video at its position in display order, from 0, with its exact time in ``seconds``.

    ``shape`` is the size before ``turn``, the transposition that makes the image upright.
    """

    index: int
    ms: float
    seconds: Any
    raw: Any
    shape: tuple[int, int]
    turn: Image.Transpose | None

    def picture(self) -> Image.Image:
        """Convert the frame to an upright RGB image with square pixels, at the size of the first frame."""
        image: Image.Image = self.raw.to_image(width=self.shape[0], height=self.shape[1])
        return image if self.turn is None else image.transpose(self.turn)


class VideoFile:
    """Video file that is open for reading. ``duration_ms`` and ``count`` (approximate) are those in the file.

    ``size`` refers to upright frames after the first one. ``lost`` counts packets that could not be decoded, and
    ``covered_ms`` is the time of the decoded frames.
    """

    def __init__(self, av: ModuleType, container: Any, stream: Any, name: str, path: Path) -> None:
        self._av, self._container, self._stream = av, container, stream
        self.name, self.path = name, path
        self.lost = self.decoded = 0
        self.covered_ms = 0.0
        self.has_sound = bool(container.streams.audio)
        ratio = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
        wide = float(ratio) if ratio else 1.0
        self._wide = wide if 1 / _WIDEST_PIXEL <= wide <= _WIDEST_PIXEL else 1.0
        self.size = (max(1, round(stream.codec_context.width * self._wide)), stream.codec_context.height)
        seconds = stream.duration * stream.time_base if stream.duration else (container.duration or 0) / 1e6
        self.duration_ms = float(seconds) * 1000 or None
        rate = stream.average_rate
        self.count = stream.frames or (round(float(seconds * rate)) if rate and seconds else 0) or None

    def frames(self) -> Iterator[VideoFrame]:
        """Yield all readable frames in display order. TruncatedVideoError if the file ends early or has none."""
        start = None if self._container.start_time is None else self._container.start_time / 1e6
        index, last, shape = 0, 0.0, self.size
        rotation, turn = None, None
        for raw in self._decoded():
            if raw.width * raw.height > MAX_PIXELS:
                raise NotAVideoError(self.name, f"frame {index} has more than {MAX_PIXELS:,} pixels.")
            exact = raw.pts * raw.time_base if raw.pts is not None and raw.time_base else last + self._step()
            start = float(exact) if start is None else start
            last = float(exact)
            if raw.rotation != rotation:  # accessing side data keeps a frame alive until garbage collection
                rotation, turn = raw.rotation, _turn(raw)
            if index == 0:
                shape = (max(1, round(raw.width * self._wide)), raw.height)
                self.size = shape[::-1] if turn in _ACROSS else shape
            index += 1
            self.decoded, self.covered_ms = index, max(0.0, last - start + self._step()) * 1000
            yield VideoFrame(index - 1, max(0.0, (last - start) * 1000), exact, raw, shape, turn)
        if index == 0:
            raise TruncatedVideoError(self.name, "no frame can be decoded. Download the file again, or convert it.")

    def _step(self) -> float:
        rate = self._stream.average_rate or self._stream.guessed_rate
        return 1 / float(rate) if rate else 1 / 25

    def _decoded(self) -> Iterator[Any]:
        av = self._av
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except (av.error.FFmpegError, OSError) as error:
                raise TruncatedVideoError(self.name, f"reading stopped before its end ({_reason(error)}).") from error
            try:
                yield from packet.decode()
            except av.error.EOFError:
                return
            except av.error.FFmpegError:
                self.lost += 1


@contextmanager
def open_video(path: Path, name: str, *, damaged: bool = False) -> Iterator[VideoFile]:
    """Open a video and read its header. ``damaged`` accepts a truncated file."""
    av = require_av()
    _check_file(path, name, damaged)
    options = {"format_whitelist": _FORMATS, "protocol_whitelist": "file", "max_pixels": str(MAX_PIXELS)}
    # from 19 on, PyAV accepts metadata that are not UTF-8 by itself
    lenient = {} if int(av.__version__.partition(".")[0]) >= 19 else {"metadata_errors": "replace"}
    try:
        # the explicit protocol prevents a file name from being parsed as a URL
        container = av.open(f"file:{path.absolute()}", options=options, **lenient)
    except (av.error.InvalidDataError, av.error.ArgumentError) as error:
        if damaged and ends_too_early(path):
            reason = "the end of the file, which contains its index, is missing. Download the complete file."
            raise TruncatedVideoError(name, reason) from error
        raise NotAVideoError(name, _NOT_READ) from error
    except (av.error.FFmpegError, OSError) as error:
        raise VideoError(name, f"it cannot be read ({_reason(error)}).") from error
    with container:
        yield VideoFile(av, container, _pictures(container, name), name, path)


@contextmanager
def open_source(video: str, root: Path | None = None, *, damaged: bool = False) -> Iterator[VideoFile]:
    """Open the video at a path or URL, see :func:`local_video` and :func:`open_video`."""
    with local_video(video, root) as path, open_video(path, video, damaged=damaged) as file:
        yield file


@contextmanager
def local_video(video: str, root: Path | None = None) -> Iterator[Path]:
    """Yield the local file for a path or URL. A remote file is downloaded and deleted afterwards."""
    if not is_remote(video):
        path = to_path(video)
        below = root / path if root is not None and not path.is_absolute() and not path.exists() else path
        yield below if below.exists() else path
        return
    with scratch(Path(tempfile.gettempdir())) as folder:
        copy = folder / "video"
        download(video, copy, _MAX_BYTES)
        yield copy


def _check_file(path: Path, name: str, damaged: bool) -> None:
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for its writer
            raise NotAVideoError(name, "it is not a file (but a folder, a device or a pipe).")
        if status.st_size == 0:
            raise NotAVideoError(name, "the file is empty (0 bytes). Download it again.")
        is_cut = not damaged and ends_too_early(path)
    except (OSError, ValueError) as error:
        if isinstance(error, VideoError):
            raise
        reason = getattr(error, "strerror", None) or str(error)
        raise VideoError(name, f"it cannot be read ({reason}). Check the path and its permissions.") from error
    if is_cut:
        advice = "Download the complete file, or use allow_damaged=True to read as far as possible."
        raise TruncatedVideoError(name, f"the file is truncated. {advice}")


def _pictures(container: Any, name: str) -> Any:
    """Return the video stream, configured for multithreaded decoding."""
    from av.stream import Disposition

    streams = [
        video_stream
        for video_stream in container.streams.video
        if not video_stream.disposition & Disposition.attached_pic
    ]
    if not streams:
        holds = "only sound" if container.streams.audio else "no video stream"
        raise NotAVideoError(name, f"it contains no images ({holds}).")
    best = container.streams.best("video")
    stream = best if best in streams else streams[0]
    context = stream.codec_context
    if context is None:
        raise NotAVideoError(name, "its codec is not supported. Convert it to H.264.")
    if context.width * context.height > MAX_PIXELS:
        size = f"{context.width} × {context.height}"
        raise NotAVideoError(name, f"its frames have {size} pixels, more than {MAX_PIXELS:,}.")
    if context.width < 1 or context.height < 1:
        raise TruncatedVideoError(name, "its frames have no size. Download the file again, or convert it.")
    context.thread_type, context.thread_count = "AUTO", settings.threads
    return stream


def _turn(raw: Any) -> Image.Transpose | None:
    """Return the transposition that makes a frame upright, rounded to the nearest right angle."""
    data = raw.side_data.get(_DISPLAY_MATRIX)
    if data is None:
        return None
    matrix = np.frombuffer(bytes(data), dtype=np.int32)
    if matrix.size < 5:
        return None
    return _TURNS.get((_direction(matrix[0:2]), _direction(matrix[3:5])))


def _direction(vector: Any) -> tuple[int, int]:
    x, y = (int(value) for value in vector)
    return (int(np.sign(x)), 0) if abs(x) >= abs(y) else (0, int(np.sign(y)))


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or type(error).__name__


def ends_too_early(path: Path) -> bool:
    """Check whether an MP4, MOV, AVI, MKV or WebM file is shorter than its header declares.

    Formats: ISO/IEC 14496-12 (4.2, boxes), RIFF, RFC 8794 (EBML) and RFC 9559 (Matroska).
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
            return _boxes_end(file) > size
        if head[:4] == b"RIFF":
            return int.from_bytes(head[4:8], "little") + 8 > size
        if head[:4] == b"\x1a\x45\xdf\xa3":
            return _segment_end(file) > size
    return False


def _boxes_end(file: BinaryIO) -> int:
    """Compute the declared end of the last top-level box of an MP4 or MOV file."""
    end = 0
    while True:
        file.seek(end)
        head = file.read(16)
        if len(head) < 8 or not any(head):  # some programs pad the file with zeros
            return end
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if length < 8:  # 0 means that the box extends to the end of the file
            return end
        end += length


def _segment_end(file: BinaryIO) -> int:
    """Compute the declared end of the segment in a Matroska or WebM file, or 0 if it is unknown."""
    file.seek(4)
    header = _variable(file)
    if header is None:
        return 0
    file.seek(header, os.SEEK_CUR)
    if file.read(4) != b"\x18\x53\x80\x67":
        return 0
    length = _variable(file)
    return 0 if length is None else file.tell() + length


def _variable(file: BinaryIO) -> int | None:
    """Read an EBML variable-length integer, whose first set bit gives its length. None if its value is unknown."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    more = 8 - first[0].bit_length()
    value = first[0] & (0xFF >> (more + 1))
    value = int.from_bytes(bytes([value]) + file.read(more), "big")
    return None if value == (1 << 7 * (more + 1)) - 1 else value


def prefetch(items: Iterable[Item], depth: int) -> Generator[Item, None, None]:
    """Yield ``items`` from a background thread that prefetches up to ``depth`` items. Its exceptions are re-raised."""
    done: queue.Queue[tuple[str, Any]] = queue.Queue(depth)
    is_closed = threading.Event()

    def put(kind: str, value: Any = None) -> bool:
        while not is_closed.is_set():
            try:
                done.put((kind, value), timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def work() -> None:
        made = iter(items)
        try:
            for item in made:
                if not put("item", item):
                    return
            put("end")
        except BaseException as error:  # raised again in the consumer
            put("error", error)
        finally:
            close = getattr(made, "close", None)
            if close is not None:
                close()

    thread = threading.Thread(target=work, name="customlabels_nb video", daemon=True)
    thread.start()
    try:
        while True:
            kind, value = done.get()
            if kind == "error":
                raise value
            if kind == "end":
                return
            yield value
    finally:
        is_closed.set()
        thread.join()
