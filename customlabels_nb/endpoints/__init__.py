"""Serve projects over HTTP to programs written for Amazon Rekognition Custom Labels and Azure Custom Vision."""

from customlabels_nb.endpoints.project_folders import ServingOptions
from customlabels_nb.endpoints.server import EndpointServer

__all__ = ["EndpointServer", "ServingOptions"]
