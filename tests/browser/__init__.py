"""Tests in JupyterLab, driven through Chromium."""
