"""List the domains of the service, which choose whether a project classifies images or detects objects."""

from __future__ import annotations

from typing import Any

from customlabels_nb.errors import ServiceError

CLASSIFICATION, DETECTION = "Classification", "ObjectDetection"
#: Domain of projects that name none.
GENERAL = "ee85a74c-405e-4adc-bb47-ffa8ca0c9f31"
GENERAL_DETECTION = "da2e3a8a-40a5-4171-82f4-58522f70fbc1"

_DOMAINS = {
    CLASSIFICATION: {
        GENERAL: "General",
        "a8e3c40f-fb4a-466f-832a-5e457ae4a344": "General [A1]",
        "2e37d7fb-3a54-486a-b4d6-cfc369af0018": "General [A2]",
        "c151d5b5-dd07-472a-acc8-15d29dea8518": "Food",
        "ca455789-012d-4b50-9fec-5bb63841c793": "Landmarks",
        "b30a91ae-e3c1-4f73-a81e-c270bff27c39": "Retail",
        "0732100f-1a38-4e49-a514-c9b44c697ab5": "General (compact)",
        "a1db07ca-a19a-4830-bae8-e004a42dc863": "General (compact) [S1]",
        "8882951b-82cd-4c32-970b-d5f8cb8bf6d7": "Food (compact)",
        "b5cfd229-2ac7-4b2b-8d0a-2b0661344894": "Landmarks (compact)",
        "6b4faeda-8396-481b-9f8b-177b9fa3097f": "Retail (compact)",
    },
    DETECTION: {
        GENERAL_DETECTION: "General",
        "9c616dff-2e7d-ea11-af59-1866da359ce6": "General [A1]",
        "1d8ffafe-ec40-4fb2-8f90-72b3b6cecea4": "Logo",
        "3780a898-81c3-4516-81ae-3a139614e1f3": "Products on Shelves",
        "a27d5ca5-bb19-49d8-a70a-fec086c47f5b": "General (compact)",
        "7ec2ac80-887b-48a6-8df9-8b1357765430": "General (compact) [S1]",
    },
}


def domains() -> list[dict[str, Any]]:
    """Return the domains. Those with "compact" in their names can be exported to ONNX."""
    return [
        {
            "id": id_,
            "name": name,
            "type": kind,
            "exportable": "compact" in name,
            "enabled": True,
            "exportablePlatforms": ["ONNX"] if "compact" in name else [],
        }
        for kind, names in _DOMAINS.items()
        for id_, name in names.items()
    ]


def find_domain(id_: str, code: str = "BadRequestProjectUnknownDomain") -> dict[str, Any]:
    for domain in domains():
        if domain["id"] == id_.lower():
            return domain
    raise ServiceError(code, f"The domain {id_[:100]!a} does not exist. Call get_domains for the ids of all domains.")
