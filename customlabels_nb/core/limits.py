"""Limits on files, labels and images, as values with two named profiles.

``LOCAL`` knows no cloud quota, only what protects the process and what makes training possible.
``REKOGNITION`` is what the hosted service accepts (Amazon Rekognition Custom Labels, "Guidelines and
quotas"); it serves to check a dataset before it is sent there.
"""

from __future__ import annotations

from dataclasses import dataclass

from customlabels_nb.errors import InputError

#: Endings that are taken for images when a folder or an archive is read.
IMAGE_SUFFIXES = frozenset({
    ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".bmp", ".dib", ".tif", ".tiff", ".webp", ".gif",
    ".ppm", ".pgm", ".pbm", ".pnm", ".dcm", ".dicom",
})  # fmt: skip

#: Endings of those images that only an optional package reads.
DICOM_SUFFIXES = frozenset({".dcm", ".dicom"})

#: Endings of images of types that aren't read: said for each file, so that none is missed in silence.
UNREAD_SUFFIXES = frozenset({
    ".heic", ".heif", ".hif", ".avif", ".jxl", ".jp2", ".j2k", ".jpx", ".jpf", ".svg", ".svgz", ".eps", ".psd", ".psb",
    ".xcf", ".tga", ".exr", ".ico", ".icns",
    # what cameras call raw
    ".raw", ".dng", ".arw", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".rw2", ".srw", ".x3f",
})  # fmt: skip


@dataclass(frozen=True)
class Limits:
    """Bounds of one profile; None means no bound. Sizes in bytes or pixels, as the name says."""

    name: str
    #: Whether manifests must be all that the service asks for, beyond what numbers say: every key that it documents,
    #: images in one S3 bucket, boxes inside of their images.
    service: bool = False
    max_pixels: int = 178_956_970  # what Pillow calls a bomb: a quarter of a gigabyte of RGB, twice over
    max_image_bytes: int | None = 2**31  # an uncompressed image of that many pixels, and some
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


def profile(name: str) -> Limits:
    """The limits of the profile called ``name``: "local" or "rekognition"."""
    for limits in (LOCAL, REKOGNITION):
        if limits.name == name:
            return limits
    raise InputError(f"profile={name!r} is not known; use 'local' or 'rekognition'.")
