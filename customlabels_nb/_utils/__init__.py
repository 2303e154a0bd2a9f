"""Help with text, files, threads, devices and durations."""
