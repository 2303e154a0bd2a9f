"""Download remote files and cache them."""
