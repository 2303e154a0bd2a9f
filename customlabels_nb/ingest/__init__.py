"""Import images from sources into a project's store."""
