"""Serve projects over HTTP to programs written for Amazon Rekognition Custom Labels."""

from customlabels_nb.endpoints.rekognition.endpoint_server import EndpointServer
from customlabels_nb.endpoints.rekognition.workspace import ServingOptions

__all__ = ["EndpointServer", "ServingOptions"]
