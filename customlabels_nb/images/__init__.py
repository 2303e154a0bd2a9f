"""Open, decode, orient and draw images."""
