"""Files of each release, which every later version reads."""
