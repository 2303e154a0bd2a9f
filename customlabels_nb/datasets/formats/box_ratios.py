"""Convert the boxes of a table to pixels: see :mod:`customlabels_nb.datasets.formats.verdicts`."""

from customlabels_nb.datasets.formats.verdicts import in_pixels as in_pixels
