"""Tests in a real JupyterLab, driven through Chromium."""
