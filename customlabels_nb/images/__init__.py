"""Read, decode, orient and draw images, and cache thumbnails."""
