"""Run trained models on images and videos."""
