"""Projects, model versions and evaluation reports."""
