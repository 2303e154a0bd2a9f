"""Describe failures to clients, and log those that they cannot correct."""

from __future__ import annotations

import logging

from customlabels_nb._utils.files import is_disk_full
from customlabels_nb.errors import CustomLabelsError

#: Message for clients instead of the errors of a full disk, which name its folders.
DISK_FULL = "The disk of the server is full."
FAILED_BY_SERVICE = "Amazon Rekognition experienced a service issue."

_log = logging.getLogger(__name__)


def log_failure(error: BaseException, what: str) -> None:
    """Log an error that is not the client's. A full disk is logged without a traceback."""
    if is_disk_full(error):
        _log.error("%s The disk is full.", what)
    else:
        _log.error(what, exc_info=error)


def job_message(error: Exception, what: str) -> str:
    """Return the message of a failed job for clients, and log an error that is not theirs."""
    if isinstance(error, CustomLabelsError) and not is_disk_full(error):
        return (str(error) or type(error).__name__).splitlines()[0]
    log_failure(error, what)
    return DISK_FULL if is_disk_full(error) else FAILED_BY_SERVICE
