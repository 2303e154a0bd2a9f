"""Map of the boxes of a dataset, each as a picture of its own, by the features of its crop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from customlabels_nb.labeling.crop_orders import CropOrders
from customlabels_nb.labeling.crop_table import statuses_of
from customlabels_nb.labeling.crops import CropQuery, CropSession
from customlabels_nb.labeling.image_map import ImageMap
from customlabels_nb.models.feature_file import crop_content
from customlabels_nb.models.map_layout import MapLayouts


class CropMapSession(CropSession):
    """Session of a map of crops, which never shows images."""

    query_type = CropQuery


class CropMap(ImageMap):
    """Places and colors of crops, by their positions in the table. Their features are computed in the background."""

    noun, suffix = "crop", "-crops"
    session: CropMapSession

    def __init__(self, session: CropMapSession, orders: CropOrders, **options: Any) -> None:
        super().__init__(session, **options)
        self._orders = orders

    def _contents(self) -> list[str | None]:
        images, crops = super()._contents(), self.session.crops
        rows = zip(crops["image"].tolist(), crops["gone"].tolist(), self.session.all_parts(), strict=True)
        return [None if gone else crop_content(images[image], part.region) for image, gone, part in rows]

    def _prepare(self, layouts: MapLayouts, contents: Sequence[str | None]) -> None:
        self._orders.prepare(self.session.all_parts())

    def label_codes(self) -> npt.NDArray[np.int16]:
        """Return the number of each crop's label, and -1 for a prediction."""
        crops = self.session.crops
        codes = pd.Index(self.session.labels()["label"], dtype=object).get_indexer(crops["label"])
        return np.where(crops["truth"], codes, -1).astype(np.int16)

    def colorings(self) -> list[str]:
        return ["label", "status", "confidence", "annotator"]

    def suspects(self) -> set[str]:
        return set()

    def _column(self, by: str) -> pd.Series:
        crops = self.session.crops
        return pd.Series(statuses_of(crops) if by == "status" else crops[by])
