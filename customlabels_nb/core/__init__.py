"""Table schemas, bounding box geometry, issues and limits used throughout the package."""
