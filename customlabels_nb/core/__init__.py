"""Define the tables, box geometry, issues and limits that every part uses."""
