"""Tests of the versions that endpoints describe."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import botocore.session

from customlabels_nb.core.version_status import VERSION_STATUSES
from customlabels_nb.endpoints.served_versions import ServedVersion
from customlabels_nb.store import VersionRecord

NOW = datetime.now(UTC)
RECORD = VersionRecord("v1", "TRAINING_STOPPED", "Stopped by you.", "versions/v1", NOW, NOW)


def test_every_status_is_one_of_the_hosted_service() -> None:
    served: Any = None
    model = botocore.session.get_session().get_service_model("rekognition")
    known = set(model.shape_for("ProjectVersionStatus").enum)
    versions = [ServedVersion(served, replace(RECORD, status=status)) for status in VERSION_STATUSES]
    assert {version.status for version in versions} <= known
    assert (versions[1].status, versions[1].message) == ("TRAINING_FAILED", "Stopped by you.")
