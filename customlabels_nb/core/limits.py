"""Limits on files, labels and images, in two named profiles.

``LOCAL`` has no cloud quotas, only limits that protect the process and ensure that training is possible.
``REKOGNITION`` has the limits of the hosted service (Amazon Rekognition Custom Labels, "Guidelines and quotas"), for
checking a dataset before it is uploaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from customlabels_nb.errors import InputError

#: Extensions of JPEG files. ``.mpo`` has several pictures.
JPEG_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"})

#: Extensions of images that require an optional package, or a Pillow that was built with their decoder.
DICOM_SUFFIXES = frozenset({".dcm", ".dicom"})
HEIF_SUFFIXES = frozenset({".heic", ".heif", ".hif"})
AVIF_SUFFIXES = frozenset({".avif"})
JPEG_2000_SUFFIXES = frozenset({".jp2", ".j2k", ".jpx", ".jpf"})

#: File extensions that are treated as images when a folder or an archive is read.
IMAGE_SUFFIXES = JPEG_SUFFIXES | DICOM_SUFFIXES | HEIF_SUFFIXES | AVIF_SUFFIXES | JPEG_2000_SUFFIXES | {
    ".png", ".apng", ".bmp", ".dib", ".tif", ".tiff", ".webp", ".gif", ".ppm", ".pgm", ".pbm", ".pnm",
}  # fmt: skip

#: Extensions to try, in this order, for an image whose name has none.
COMMON_SUFFIXES = (".jpg", ".jpeg", ".png", ".JPG", ".JPEG", ".PNG", ".bmp", ".webp", ".tif", ".tiff")

#: Extensions of unsupported image types. They are reported for each file, so that no image is missed silently.
UNREAD_SUFFIXES = frozenset({
    ".jxl", ".svg", ".svgz", ".eps", ".psd", ".psb", ".xcf", ".tga", ".exr", ".ico", ".icns",
    # raw camera formats
    ".raw", ".dng", ".arw", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".rw2", ".srw", ".x3f",
})  # fmt: skip


#: Largest ``max_boxes`` of a detector. Each box takes time.
HIGHEST_MAX_BOXES = 1000


@dataclass(frozen=True)
class Limits:
    """Limits of one profile, in the unit that the attribute name gives. None means no limit."""

    name: str
    #: Whether manifests must meet the hosted service's other requirements too: all documented keys, images in one S3
    #: bucket, boxes inside their images.
    service: bool = False
    max_pixels: int = 178_956_970  # Pillow's limit for decompression bombs: twice a quarter of a gigabyte of RGB
    max_image_bytes: int | None = 2**31  # more than an uncompressed image of max_pixels
    min_side_pixels: int = 1
    max_side_pixels: int | None = None
    max_aspect_ratio: float | None = None
    max_label_length: int = 256
    max_images: int | None = None
    min_classification_labels: int = 2
    min_detection_labels: int = 1
    max_labels: int | None = None
    max_labels_per_image: int | None = None
    max_boxes_per_image: int | None = None
    min_training_images: int = 2
    max_manifest_bytes: int | None = None
    max_line_length: int | None = None
    max_invalid_line_share: float | None = None
    min_label_overlap: float = 0.0
    max_archive_bytes: int = 64 * 2**30
    max_archive_ratio: float = 200.0


LOCAL = Limits("local")

REKOGNITION = Limits(
    "rekognition",
    service=True,
    max_image_bytes=15 * 10**6,
    min_side_pixels=64,
    max_side_pixels=4096,
    max_aspect_ratio=20.0,
    max_images=250_000,
    max_labels=250,
    max_labels_per_image=50,
    max_boxes_per_image=50,
    min_training_images=10,
    max_manifest_bytes=10**9,
    max_line_length=100_000,
    max_invalid_line_share=0.2,
    min_label_overlap=0.5,
)


Profile: TypeAlias = Literal["local", "rekognition"]


def profile(name: str) -> Limits:
    """Return the limits of a profile by name: "local" or "rekognition"."""
    for limits in (LOCAL, REKOGNITION):
        if limits.name == name:
            return limits
    raise InputError(f"profile={name!r} is unknown. Choose 'local' or 'rekognition'.")
