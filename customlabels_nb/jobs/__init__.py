"""Labelling jobs: several people label the same images, without seeing each other's answers."""
