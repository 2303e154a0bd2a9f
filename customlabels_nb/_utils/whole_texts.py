"""Table whose texts are displayed in full."""

from __future__ import annotations

import pandas as pd

_WHOLE = ("display.max_colwidth", None, "display.max_columns", None)


class WholeTexts(pd.DataFrame):
    """DataFrame whose display does not shorten texts, such as lines of code to copy. Its slices are plain ones."""

    def __repr__(self) -> str:
        with pd.option_context(*_WHOLE):
            return str(super().__repr__())

    def _repr_html_(self) -> str | None:
        with pd.option_context(*_WHOLE):
            html: str | None = super()._repr_html_()
        return html
