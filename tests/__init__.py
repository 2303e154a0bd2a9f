"""The tests; ``python -m tests`` sees to what they need and runs every check of the project."""
