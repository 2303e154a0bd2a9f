"""Issues found in data (findings), with a message for each issue code.

An issue does not stop the operation that found it. Issues are collected, shown in a table and stored with the project.
Codes that start with ERROR_ or WARNING_ and their messages come from the hosted service (Amazon Rekognition Custom
Labels, "Debugging a failed model training"). The others are specific to this package.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from customlabels_nb._utils.text import without_passwords

if TYPE_CHECKING:
    import pandas as pd

#: Terminal file errors of the hosted service: code → message, with ``{}`` for a value.
FILE_ERRORS = {
    "ERROR_MANIFEST_INACCESSIBLE_OR_UNSUPPORTED_FORMAT": "The manifest file extension or contents are invalid.",
    "ERROR_MANIFEST_IS_EMPTY": "The manifest file is empty.",
    "ERROR_MANIFEST_SIZE_TOO_LARGE": "The manifest file size exceeds the maximum supported size.",
    "ERROR_MANIFEST_ROWS_EXCEEDS_MAXIMUM": "The manifest file has too many rows.",
    "ERROR_INVALID_PERMISSIONS_MANIFEST_S3_BUCKET": "The S3 bucket permissions are incorrect.",
    "ERROR_TOO_MANY_RECORDS_IN_ERROR": "The manifest file has too many terminal errors.",
    "ERROR_MANIFEST_TOO_MANY_LABELS": "The manifest file has too many labels.",
    "ERROR_INSUFFICIENT_IMAGES_PER_LABEL_FOR_DISTRIBUTE": (
        "The manifest file contains insufficient labeled images to distribute the dataset."
    ),
}

#: Terminal errors of the hosted service about the contents of a manifest.
CONTENT_ERRORS = {
    "ERROR_TOO_MANY_INVALID_ROWS_IN_MANIFEST": "The manifest file contains too many invalid rows.",
    "ERROR_IMAGES_IN_MULTIPLE_S3_BUCKETS": "The manifest file contains images in multiple S3 buckets.",
    "ERROR_INVALID_PERMISSIONS_IMAGES_S3_BUCKET": "Invalid permissions for images S3 bucket.",
    "ERROR_INVALID_IMAGES_S3_BUCKET_OWNER": "Invalid owner id for images S3 bucket.",
    "ERROR_INSUFFICIENT_IMAGES_PER_LABEL_FOR_AUTOSPLIT": (
        "The manifest file contains insufficient labeled images per label to perform auto-split."
    ),
    "ERROR_MANIFEST_TOO_FEW_LABELS": "The manifest file has too few labels.",
    "ERROR_MANIFEST_TOO_MANY_LABELS": "The manifest file has too many labels.",
    "ERROR_INSUFFICIENT_LABEL_OVERLAP": (
        "Less than {}% label overlap between the training and testing manifest files."
    ),
    "ERROR_MANIFEST_TOO_FEW_USABLE_LABELS": "The manifest file has too few usable labels.",
    "ERROR_INSUFFICIENT_USABLE_LABEL_OVERLAP": (
        "Less than {}% usable label overlap between the training and testing manifest files."
    ),
    "ERROR_FAILED_IMAGES_S3_COPY": "Failed to copy images from S3 bucket.",
}

#: Errors of the hosted service about one line, in the order of its checks. It has no code for too many labels.
LINE_ERRORS = {
    "ERROR_INVALID_JSON_LINE": "The JSON Line has an invalid format.",
    "ERROR_MISSING_SOURCE_REF": "The source-ref key is missing.",
    "ERROR_INVALID_SOURCE_REF_FORMAT": "The format of the source-ref value is invalid.",
    "ERROR_NO_LABEL_ATTRIBUTES": "No label attributes found.",
    "ERROR_INVALID_LABEL_ATTRIBUTE_FORMAT": "The format of the label attribute {} is invalid.",
    "ERROR_INVALID_LABEL_ATTRIBUTE_METADATA_FORMAT": "The format of the label attribute metadata is invalid.",
    "ERROR_MISSING_BOUNDING_BOX_CONFIDENCE": "One or more bounding boxes has a missing confidence value.",
    "ERROR_MISSING_CLASS_MAP_ID": "One of more class ids is missing from the class map.",
    "ERROR_UNSUPPORTED_USE_CASE_TYPE": (
        "The use case type of the {} label attribute metadata is unsupported. Check the type field."
    ),
    "ERROR_INVALID_LABEL_NAME_LENGTH": "The label name length is invalid.",
    "ERROR_NO_VALID_LABEL_ATTRIBUTES": "No valid label attributes found.",
    "ERROR_INVALID_IMAGE": "The image is invalid. Check S3 path and/or image properties.",
    "ERROR_INVALID_IMAGE_DIMENSION": "The image dimension(s) do not conform to allowed dimensions.",
    "ERROR_INVALID_BOUNDING_BOX": "The bounding box has off frame values.",
    "ERROR_BOUNDING_BOX_TOO_SMALL": "The height and width of the bounding box is too small.",
    "ERROR_TOO_MANY_BOUNDING_BOXES": "There are more bounding boxes than the allowed maximum.",
    "ERROR_TOO_MANY_LABELS": "There are more image-level labels than the allowed maximum.",
    "ERROR_NO_VALID_ANNOTATIONS": "No valid annotations found.",
}

#: Warnings of the hosted service: the line is ignored, but not invalid.
WARNINGS = {
    "WARNING_UNANNOTATED_RECORD": "Record is unannotated.",
    "WARNING_NO_ANNOTATIONS": "No annotations were found.",
    "WARNING_NO_ATTRIBUTE_ANNOTATIONS": "No attribute annotations were found.",
}

#: This package's own issues about polygons that cannot become masks as they are.
POLYGON_FINDINGS = {
    "POLYGON_TOO_FEW_POINTS": "The polygon has a ring with fewer than three points.",
    "POLYGON_NO_AREA": "The polygon has a ring without an area.",
    "POLYGON_SELF_INTERSECTING": "The edges of the polygon cross each other.",
    "POLYGON_OFF_FRAME": "The polygon extends beyond the image.",
}

#: This package's own issues, found while importing images.
IMPORT_FINDINGS = {
    "IMAGE_NOT_FOUND": "The file does not exist or is not readable.",
    "IMAGE_NOT_AN_IMAGE": "The file is not an image in a supported format.",
    "IMAGE_TRUNCATED": "The image file is truncated or damaged.",
    "IMAGE_TYPE_UNSUPPORTED": "Images of this type are not supported. Convert the image to JPEG or PNG.",
    "IMAGE_TOO_LARGE": "The image has more pixels than the limit allows.",
    "IMAGE_UNUSABLE": "The image cannot be used.",
    "IMAGE_MOVED": "The image is known, but its file is missing, and this file has the same content.",
    "IMAGE_CHANGED": "The content of the file has changed since the import. The labels of the image are kept.",
    "IMAGE_HAS_FRAMES": "The file has several pages or frames. The first one is used.",
    "IMAGE_SIZE_DIFFERS": "The annotations give another size of the image. Its boxes may not fit.",
    "SOURCE_UNREACHABLE": "The source cannot be accessed.",
    "FOLDER_UNREADABLE": "The folder is not readable.",
    "FOLDER_IS_PROJECT": "The folder belongs to a project and was skipped.",
    "ONE_LABEL_FOLDER": "All images have the name of one folder as their label.",
    "FOLDERS_ARE_SPLITS": "The folders are named after splits, so they are not labels.",
    "SPLIT_AS_LABEL": "A label has the name of a split, and its images are in folders below.",
    "FOLDER_LOOP": "The link leads back to a folder that is being read.",
    "LABEL_KEPT": "The image is already labelled, so the new label was not applied.",
    "KIND_KEPT": "The source has no annotations of this kind, so those of the project were kept.",
    "NO_ANSWER": "The source has no labels for the image, so those of the project were kept.",
    "LABEL_UNUSABLE": "The name of the folder is not a valid label.",
    "ARCHIVE_MEMBER_REFUSED": "The archive member is a link, or would be unpacked outside the folder.",
    "DUPLICATE_CONTENT": "Duplicate: the dataset already has the same image under another name.",
    "LEAK_BETWEEN_SPLITS": "Data leak: the same image is in the other split (train or test).",
    "NOT_IMPORTED": "This part of the file was not imported.",
    "ENTRY_UNREADABLE": "This entry cannot be read.",
    "ENTRY_ADJUSTED": "This entry was changed while reading.",
    "ENTRY_REPAIRED": "This entry was repaired.",
    "IMAGE_NOT_LISTED": "The image was not found at the given path, or several files have this name.",
    "LABEL_TOO_RARE_TO_SPLIT": "The label has only one image, which stays in train.",
}

#: Losses and changes of an export, each with a count.
EXPORT_FINDINGS = {
    "NOT_HELD": "The format cannot store this.",
    "EXPORT_ADJUSTED": "The export differs from the dataset in this.",
    "IMAGES_ELSEWHERE": "Images are outside the folder of the export, where other programs may not find them.",
}

#: Issues found by the checks before training, which also report some of the import issues.
CHECK_FINDINGS = {
    "TOO_FEW_LABELS": "Training needs images with more labels.",
    "TOO_FEW_IMAGES": "There are very few labelled images.",
    "LABEL_HAS_FEW_IMAGES": "The label has few training images.",
    "LABEL_HAS_FEW_TEST_IMAGES": "The label has few test images.",
    "LABEL_NOT_IN_TRAIN": "The label occurs only in the test set.",
    "LABEL_NOT_IN_TEST": "The label has no test image.",
    "LABEL_UNUSED": "The label has no labelled image.",
    "LABELS_UNEVEN": "Some labels have many more images than others.",
    "LABELS_LOOK_ALIKE": "The labels differ only in case, spaces, accents or letters that look alike or are missing.",
    "LABELS_OF_TWO_KINDS": "The dataset has both image-level labels and boxes.",
    "IMAGE_HAS_SEVERAL_LABELS": "The image has more than one label, but the task allows one.",
    "TEST_SET_MISSING": "There is no test set.",
    "IMAGES_UNLABELLED": "Some images have no label yet.",
    "IMAGES_TO_REVIEW": "Some images need to be reviewed.",
    "IMAGES_SKIPPED": "Some images were skipped.",
    "IMAGES_NOT_LOOKED_AT": "Remote images were not checked because they are not downloaded.",
    "IMAGE_SIZE_CHANGED": "The size of the image has changed since the import. Its boxes may no longer fit.",
    "IMAGE_VERY_SMALL": "The image has very few pixels.",
    "IMAGE_VERY_LONG": "The image is much longer along one side than along the other.",
    "IMAGE_NEARLY_BLANK": "The image is nearly blank.",
    "IMAGE_VERY_DARK": "The image is very dark.",
    "IMAGE_FEW_BITS": "The image has 16-bit grey values that only use the lowest 8 bits.",
    "BOX_EMPTY": "The box has no width or no height.",
    "BOX_OFF_FRAME": "The box extends beyond the image.",
    "BOX_TINY": "The box is tiny at the input size of the detector.",
    "BOX_WHOLE_IMAGE": "The box covers nearly the entire image.",
    "BOX_REPEATED": "Duplicate box.",
    "LABELS_DIFFER_ON_SAME_PICTURE": "Duplicate or near-duplicate images have different labels.",
    "NEAR_DUPLICATES_BETWEEN_SPLITS": "Data leak: a near-duplicate is in the other split (train or test).",
    "NEAR_DUPLICATES": "The dataset contains near-duplicate images.",
    "NEAR_DUPLICATES_NOT_SEARCHED": "Near-duplicates were not searched for.",
}

CODES: dict[str, str] = {
    **FILE_ERRORS, **CONTENT_ERRORS, **LINE_ERRORS, **WARNINGS, **POLYGON_FINDINGS, **IMPORT_FINDINGS,
    **EXPORT_FINDINGS, **CHECK_FINDINGS,
}  # fmt: skip


@dataclass(frozen=True)
class Issue:
    """Issue found in data. ``where`` is an image, label, folder or key, ``source`` the file that was being read."""

    code: str
    message: str = ""
    where: str = ""
    source: str = ""
    line: int | None = None

    def __post_init__(self) -> None:
        if self.code not in CODES:
            raise ValueError(f"Unknown issue code {self.code!r}.")
        if not self.message:
            object.__setattr__(self, "message", CODES[self.code])
        for name in ("message", "where", "source"):  # tables and databases cannot store NUL or lone surrogates
            text = without_passwords(getattr(self, name))
            plain = text if text.isprintable() else text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
            object.__setattr__(self, name, plain)


def issues_to_frame(issues: Iterable[Issue]) -> pd.DataFrame:
    """Convert issues to a table with the columns of :data:`customlabels_nb.core.tables.ISSUE_COLUMNS`."""
    import pandas as pd

    from customlabels_nb.core.tables import ISSUE_COLUMNS

    return pd.DataFrame([vars(issue) for issue in issues], columns=list(ISSUE_COLUMNS)).astype(ISSUE_COLUMNS)
