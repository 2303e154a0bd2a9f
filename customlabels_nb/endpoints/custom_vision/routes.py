"""Find the operation of a request. Each row of the table has the name that the operation has in the service's SDK."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NoReturn

from customlabels_nb.endpoints.custom_vision import export_operations as exports
from customlabels_nb.endpoints.custom_vision import image_operations as images
from customlabels_nb.endpoints.custom_vision import iteration_operations as iterations
from customlabels_nb.endpoints.custom_vision import prediction_operations as predictions
from customlabels_nb.endpoints.custom_vision import project_and_tag_operations as projects
from customlabels_nb.endpoints.custom_vision.calls import Call
from customlabels_nb.errors import ServiceError


@dataclass(frozen=True)
class Route:
    """Operation, or the name of one that is not available, and the method and path that call it."""

    method: str
    path: str
    operation: Callable[[Call], Any] | str

    @property
    def name(self) -> str:
        return self.operation if isinstance(self.operation, str) else self.operation.__name__

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.path), re.IGNORECASE)


_ITERATION = "/training/projects/{projectId}/iterations/{iterationId}"
_CLASSIFY = "/prediction/{projectId}/classify/iterations/{publishedName}"
_DETECT = "/prediction/{projectId}/detect/iterations/{publishedName}"

ROUTES = (
    Route("GET", "/training/domains", projects.get_domains),
    Route("GET", "/training/domains/{domainId}", projects.get_domain),
    Route("GET", "/training/projects", projects.get_projects),
    Route("POST", "/training/projects", projects.create_project),
    Route("GET", "/training/projects/{projectId}", projects.get_project),
    Route("DELETE", "/training/projects/{projectId}", projects.delete_project),
    Route("PATCH", "/training/projects/{projectId}", projects.update_project),
    Route("GET", "/training/projects/{projectId}/artifacts", "get_artifact"),
    Route("GET", "/training/projects/{projectId}/export", "export_project"),
    Route("GET", "/training/projects/{projectId}/images", images.get_images),
    Route("POST", "/training/projects/{projectId}/images", images.create_images_from_data),
    Route("DELETE", "/training/projects/{projectId}/images", images.delete_images),
    Route("POST", "/training/projects/{projectId}/images/{imageId}/regionproposals", "get_image_region_proposals"),
    Route("GET", "/training/projects/{projectId}/images/count", images.get_image_count),
    Route("POST", "/training/projects/{projectId}/images/files", images.create_images_from_files),
    Route("GET", "/training/projects/{projectId}/images/id", images.get_images_by_ids),
    Route("POST", "/training/projects/{projectId}/images/metadata", "update_image_metadata"),
    Route("POST", "/training/projects/{projectId}/images/predictions", predictions.create_images_from_predictions),
    Route("POST", "/training/projects/{projectId}/images/regions", images.create_image_regions),
    Route("DELETE", "/training/projects/{projectId}/images/regions", images.delete_image_regions),
    Route("POST", "/training/projects/{projectId}/images/suggested", "query_suggested_images"),
    Route("POST", "/training/projects/{projectId}/images/suggested/count", "query_suggested_image_count"),
    Route("GET", "/training/projects/{projectId}/images/tagged", images.get_tagged_images),
    Route("GET", "/training/projects/{projectId}/images/tagged/count", images.get_tagged_image_count),
    Route("POST", "/training/projects/{projectId}/images/tags", images.create_image_tags),
    Route("DELETE", "/training/projects/{projectId}/images/tags", images.delete_image_tags),
    Route("GET", "/training/projects/{projectId}/images/untagged", images.get_untagged_images),
    Route("GET", "/training/projects/{projectId}/images/untagged/count", images.get_untagged_image_count),
    Route("POST", "/training/projects/{projectId}/images/urls", images.create_images_from_urls),
    Route("GET", "/training/projects/{projectId}/iterations", iterations.get_iterations),
    Route("GET", _ITERATION, iterations.get_iteration),
    Route("DELETE", _ITERATION, iterations.delete_iteration),
    Route("PATCH", _ITERATION, iterations.update_iteration),
    Route("GET", _ITERATION + "/export", exports.get_exports),
    Route("POST", _ITERATION + "/export", exports.export_iteration),
    Route("GET", _ITERATION + "/performance", iterations.get_iteration_performance),
    Route("GET", _ITERATION + "/performance/images", iterations.get_image_performances),
    Route("GET", _ITERATION + "/performance/images/count", iterations.get_image_performance_count),
    Route("POST", _ITERATION + "/publish", iterations.publish_iteration),
    Route("DELETE", _ITERATION + "/publish", iterations.unpublish_iteration),
    Route("DELETE", "/training/projects/{projectId}/predictions", predictions.delete_prediction),
    Route("POST", "/training/projects/{projectId}/predictions/query", predictions.query_predictions),
    Route("POST", "/training/projects/{projectId}/quicktest/image", predictions.quick_test_image),
    Route("POST", "/training/projects/{projectId}/quicktest/url", predictions.quick_test_image_url),
    Route("GET", "/training/projects/{projectId}/tags", projects.get_tags),
    Route("POST", "/training/projects/{projectId}/tags", projects.create_tag),
    Route("GET", "/training/projects/{projectId}/tags/{tagId}", projects.get_tag),
    Route("DELETE", "/training/projects/{projectId}/tags/{tagId}", projects.delete_tag),
    Route("PATCH", "/training/projects/{projectId}/tags/{tagId}", projects.update_tag),
    Route("POST", "/training/projects/{projectId}/tagsandregions/suggestions", "suggest_tags_and_regions"),
    Route("POST", "/training/projects/{projectId}/train", iterations.train_project),
    Route("POST", "/training/projects/import", "import_project"),
    Route("POST", _CLASSIFY + "/image", predictions.prediction_operation("classify_image")),
    Route("POST", _CLASSIFY + "/image/nostore", predictions.prediction_operation("classify_image_with_no_store")),
    Route("POST", _CLASSIFY + "/url", predictions.prediction_operation("classify_image_url")),
    Route("POST", _CLASSIFY + "/url/nostore", predictions.prediction_operation("classify_image_url_with_no_store")),
    Route("POST", _DETECT + "/image", predictions.prediction_operation("detect_image")),
    Route("POST", _DETECT + "/image/nostore", predictions.prediction_operation("detect_image_with_no_store")),
    Route("POST", _DETECT + "/url", predictions.prediction_operation("detect_image_url")),
    Route("POST", _DETECT + "/url/nostore", predictions.prediction_operation("detect_image_url_with_no_store")),
    Route("GET", "/files/{projectId}/{predictionId}/prediction/{signature}", predictions.get_predicted_image),
    Route("GET", "/files/{projectId}/{iterationId}/export/{signature}", exports.get_exported_file),
    Route("GET", "/files/{projectId}/{imageId}/{kind}/{signature}", images.get_file),
)


def find_route(method: str, path: str) -> tuple[Callable[[Call], Any], dict[str, str]]:
    """Return the operation of a request and the values in its path, or raise ServiceError."""
    for route in ROUTES:
        if route.method == method and (match := route.pattern.fullmatch(path)):
            operation = route.operation
            return _refusal(operation) if isinstance(operation, str) else operation, match.groupdict()
    raise ServiceError("NotFound", f"The operation {method[:20]!a} {path[:200]!a} does not exist.")


def _refusal(name: str) -> Callable[[Call], Any]:
    def refuse(call: Call) -> NoReturn:
        raise ServiceError("BadRequestOperationNotSupported", f"The operation {name} is not available here.")

    return refuse
