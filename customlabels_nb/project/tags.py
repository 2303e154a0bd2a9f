"""Tags of a project, a dataset or a model version."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any

from customlabels_nb.project.location import check_tags

_Change = Callable[[dict[str, str]], dict[str, str]]


class Tags(MutableMapping[str, str]):
    """Tags, a mapping of str to str. Every change is stored at once, as one action of the history.

    Parameters
    ----------
    read : callable
        Function that returns the stored tags.
    change : callable
        Function that stores the result of a function of the stored tags, in one transaction.

    Examples
    --------
    >>> project.tags.update(site="north", stage="test")
    >>> del project.tags["stage"]
    >>> project.tags
    {'site': 'north'}
    """

    def __init__(self, read: Callable[[], Mapping[str, str]], change: Callable[[_Change], object]) -> None:
        self._read, self._change = read, change

    def __getitem__(self, key: str) -> str:
        return self._read()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(dict(self._read()))

    def __len__(self) -> int:
        return len(self._read())

    def __repr__(self) -> str:
        return repr(dict(self._read()))

    def __setitem__(self, key: str, value: str) -> None:
        self.update({key: value})

    def __delitem__(self, key: str) -> None:
        if key not in self:
            raise KeyError(key)
        self._change(lambda now: {name: text for name, text in now.items() if name != key})

    def update(self, *tags: Any, **more: Any) -> None:
        """Add tags, or replace those with the same keys, in one action."""
        added = check_tags(dict(*tags, **more))
        self._change(lambda now: {**now, **added})

    def clear(self) -> None:
        self._change(lambda now: {})
