"""Hold what a user works with: projects, models and reports."""
