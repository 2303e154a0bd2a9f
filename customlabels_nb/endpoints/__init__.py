"""HTTP endpoints that answer like other services."""
