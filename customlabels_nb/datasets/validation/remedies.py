"""What a person can do about each code, in one sentence, and which repairs of a report do it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Remedy:
    """What to do.

    Attributes
    ----------
    text : str
        One sentence; it names the repairs as they are called.
    repairs : tuple of str
        Names for ``report.fix``, the best first.
    """

    text: str
    repairs: tuple[str, ...] = ()


#: Code → what to do. Several codes have one cause, and then one cure.
ADVICE: dict[str, Remedy] = {
    # the file as a whole
    "ERROR_MANIFEST_INACCESSIBLE_OR_UNSUPPORTED_FORMAT": Remedy(
        "Check the path, that its name has an ending such as .manifest, and that each line is one JSON object."
    ),
    "ERROR_MANIFEST_IS_EMPTY": Remedy('Write lines to it: dataset.to("ground_truth", …) does.'),
    "ERROR_MANIFEST_SIZE_TOO_LARGE": Remedy(
        "Take fewer images with dataset.sample(…), or leave out attributes that nobody needs, until it is within 1 GB."
    ),
    "ERROR_MANIFEST_ROWS_EXCEEDS_MAXIMUM": Remedy("Take fewer images: dataset.sample(250_000)."),
    "ERROR_INVALID_PERMISSIONS_MANIFEST_S3_BUCKET": Remedy("Allow reading the bucket that the manifest lies in."),
    "ERROR_TOO_MANY_RECORDS_IN_ERROR": Remedy(
        'More than half of the lines name no image: mend them, or fix("drop_lines") leaves them out.', ("drop_lines",)
    ),
    "ERROR_MANIFEST_TOO_MANY_LABELS": Remedy("Merge labels, or drop some, with dataset.relabel({…})."),
    "ERROR_INSUFFICIENT_IMAGES_PER_LABEL_FOR_DISTRIBUTE": Remedy(
        "Label more images: a label needs two of them to stand on both sides."
    ),
    # the manifest's contents
    "ERROR_TOO_MANY_INVALID_ROWS_IN_MANIFEST": Remedy(
        'Mend the lines below; fix("drop_lines") leaves out what no other repair mends.', ("drop_lines",)
    ),
    "ERROR_IMAGES_IN_MULTIPLE_S3_BUCKETS": Remedy(
        'Copy all images to one bucket, or fix("keep_one_bucket") leaves out those that lie elsewhere.',
        ("keep_one_bucket",),
    ),
    "ERROR_INVALID_PERMISSIONS_IMAGES_S3_BUCKET": Remedy("Allow reading the bucket that the images lie in."),
    "ERROR_INVALID_IMAGES_S3_BUCKET_OWNER": Remedy("Copy the images to a bucket of the account that trains."),
    "ERROR_INSUFFICIENT_IMAGES_PER_LABEL_FOR_AUTOSPLIT": Remedy(
        "Label more images of the rare labels, or give a test manifest of your own."
    ),
    "ERROR_MANIFEST_TOO_FEW_LABELS": Remedy(
        "Label images with at least two labels (one is enough for boxes): a model tells things apart."
    ),
    "ERROR_INSUFFICIENT_LABEL_OVERLAP": Remedy(
        "Put images of the missing labels into the test set too: project.distribute() splits so that each label is on "
        "both sides."
    ),
    "ERROR_MANIFEST_TOO_FEW_USABLE_LABELS": Remedy(
        "Mend the lines below: too few labels are left on those that can be used."
    ),
    "ERROR_INSUFFICIENT_USABLE_LABEL_OVERLAP": Remedy(
        "Mend the lines of the labels that are missing on one side, or distribute the images anew."
    ),
    "ERROR_FAILED_IMAGES_S3_COPY": Remedy("Check that the images are there and may be read, and try again."),
    # one line
    "ERROR_INVALID_JSON_LINE": Remedy(
        'Write the line as one JSON object, or fix("drop_lines") leaves it out.', ("drop_lines",)
    ),
    "ERROR_MISSING_SOURCE_REF": Remedy(
        'Name the image in "source-ref", or fix("drop_lines") leaves the line out.', ("drop_lines",)
    ),
    "ERROR_INVALID_SOURCE_REF_FORMAT": Remedy(
        'Name each image once, and for the service as s3://bucket/key (images on this machine: profile="local", or '
        'dataset.validate("rekognition") judges as if they were uploaded); fix("drop_lines") leaves the line out.',
        ("drop_lines",),
    ),
    "ERROR_NO_LABEL_ATTRIBUTES": Remedy(
        'Each attribute needs its "…-metadata", and the reverse: fix("drop_bad_attributes") leaves out those without.',
        ("drop_bad_attributes", "drop_lines"),
    ),
    "ERROR_INVALID_LABEL_ATTRIBUTE_FORMAT": Remedy(
        'Mend the attribute (a whole number, or image_size and annotations), or fix("drop_bad_attributes") leaves it '
        "out.",
        ("drop_bad_attributes", "drop_lines"),
    ),
    "ERROR_INVALID_LABEL_ATTRIBUTE_METADATA_FORMAT": Remedy(
        'Mend what the metadata lacks, or fix("drop_bad_attributes") leaves the attribute out.',
        ("drop_bad_attributes", "drop_lines"),
    ),
    "ERROR_MISSING_BOUNDING_BOX_CONFIDENCE": Remedy(
        'Each box needs an object with its confidence: fix("assume_confidence") takes 1 for those that lack it.',
        ("assume_confidence", "drop_lines"),
    ),
    "ERROR_MISSING_CLASS_MAP_ID": Remedy(
        'Name each class id in "class-map", or fix("drop_unnamed_boxes") leaves out the boxes without a name.',
        ("drop_unnamed_boxes", "drop_lines"),
    ),
    "ERROR_UNSUPPORTED_USE_CASE_TYPE": Remedy(
        'Only image-level labels and boxes are trained on: fix("drop_unsupported") leaves out the other attributes.',
        ("drop_unsupported", "drop_lines"),
    ),
    "ERROR_INVALID_LABEL_NAME_LENGTH": Remedy(
        'Give the label 1 to 256 characters: fix("shorten_labels") cuts long names, and leaves out labels without one.',
        ("shorten_labels", "drop_lines"),
    ),
    "ERROR_NO_VALID_LABEL_ATTRIBUTES": Remedy(
        'Label the image anew, or fix("drop_lines") leaves the line out.', ("drop_lines",)
    ),
    "ERROR_INVALID_IMAGE": Remedy(
        "Check that the image is there, is a JPEG or PNG within the limits of size, and agrees with image_size; "
        'fix("drop_bad_images") leaves it out.',
        ("drop_bad_images", "drop_lines"),
    ),
    "ERROR_INVALID_IMAGE_DIMENSION": Remedy(
        'Scale the image and its boxes to 64 to 4,096 pixels a side, or fix("drop_bad_images") leaves it out.',
        ("drop_bad_images", "drop_lines"),
    ),
    "ERROR_INVALID_BOUNDING_BOX": Remedy(
        'fix("clip_boxes") cuts the boxes off at the frame, fix("drop_off_frame_boxes") leaves them out.',
        ("clip_boxes", "drop_off_frame_boxes"),
    ),
    "ERROR_BOUNDING_BOX_TOO_SMALL": Remedy(
        'Draw them anew, or fix("drop_small_boxes") leaves them out.', ("drop_small_boxes",)
    ),
    "ERROR_TOO_MANY_BOUNDING_BOXES": Remedy(
        'fix("drop_excess_boxes") keeps the most confident ones, as many as are allowed.', ("drop_excess_boxes",)
    ),
    "ERROR_TOO_MANY_LABELS": Remedy(
        'Take some labels of the image away, or fix("drop_lines") leaves the line out.', ("drop_lines",)
    ),
    "ERROR_NO_VALID_ANNOTATIONS": Remedy(
        'Mend the boxes of the line, or fix("drop_lines") leaves it out.', ("drop_lines",)
    ),
    # what is passed over
    "WARNING_UNANNOTATED_RECORD": Remedy(
        'Label the images, or fix("drop_unannotated") leaves them out.', ("drop_unannotated",)
    ),
    "WARNING_NO_ANNOTATIONS": Remedy(
        'Nothing to do if there is nothing to see; fix("drop_unannotated") leaves them out.', ("drop_unannotated",)
    ),
    "WARNING_NO_ATTRIBUTE_ANNOTATIONS": Remedy(
        'Draw the boxes, or fix("drop_unannotated") leaves these images out.', ("drop_unannotated",)
    ),
}
