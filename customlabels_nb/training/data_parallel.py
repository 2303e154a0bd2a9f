"""Data-parallel training: several processes (ranks) compute the gradients of each batch together.

Rank 0 is the process in which the user called ``train``. It decides how many steps to take, validates the network and
stores checkpoints. Before each step it broadcasts the planned number of steps. Each rank then computes the gradients of
its own images of the batch, and all ranks add them up and update their weights in the same way. Two ranks give exactly
the weights of one process that splits each batch into two parts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist

from customlabels_nb.workers.ranks import exchange

#: Value of each loss by the position of the first image in the batch that it was computed from.
Losses = dict[str, dict[int, float]]

_MOST_LOSSES = 16
_UNKNOWN, _END = -1, -2  # in place of the number of steps


def usable_ranks(size: int, images: int) -> int:
    """Return the largest number of ranks, at most ``size``, that a batch of ``images`` gives work to.

    Examples
    --------
    >>> from customlabels_nb.training.data_parallel import usable_ranks
    >>> usable_ranks(2, 8), usable_ranks(5, 8), usable_ranks(64, 8)
    (2, 4, 8)
    """
    size = min(size, images)
    return math.ceil(images / math.ceil(images / size))


class Alone:
    """One process that trains without others. See :class:`Peers`."""

    size = 1

    def __init__(self, images: int) -> None:
        self.images, self.slots = images, range(images)

    def announce(self, total: int | None, threads: int) -> None:
        """Do nothing, because there are no other ranks."""

    def end(self) -> None:
        """Do nothing, because there are no other ranks."""

    def add(self, losses: Losses | None, parameters: Sequence[Any]) -> Losses | None:
        """Return the losses, which are those of the whole batch."""
        return losses


class Peers:
    """Connected ranks, as one of them sees them. ``slots`` are the positions in the batch of this rank's images."""

    def __init__(self, rank: int, size: int, images: int) -> None:
        each = math.ceil(images / size)
        self.rank, self.size, self.images = rank, size, images
        self.slots = range(rank * each, min(images, (rank + 1) * each))
        self.is_between = True  # False while a step is exchanged

    def announce(self, total: int | None, threads: int) -> None:
        """Tell the other ranks to take a step: the planned number of steps and the number of torch threads."""
        self._broadcast(_UNKNOWN if total is None else total, threads)
        self.is_between = False

    def end(self) -> None:
        """Tell the other ranks that training has ended, if they are waiting for a step."""
        if self.is_between:
            self._broadcast(_END, 0)

    def receive(self) -> tuple[int | None, int] | None:
        """Return what rank 0 announced, or None if training has ended."""
        total, threads = self._broadcast(0, 0)
        return None if total == _END else (None if total == _UNKNOWN else total, threads)

    def add(self, losses: Losses | None, parameters: Sequence[Any]) -> Losses | None:
        """Add up the gradients of all ranks in place, and return the losses of the whole batch.

        ``losses`` is None if this rank is out of memory. If any is, gradients stay, and the result is None in all.
        """
        names = list(losses or ())
        flags = torch.zeros(1 + len(parameters), dtype=torch.float64)
        table = torch.zeros(_MOST_LOSSES, self.images, dtype=torch.float64)
        flags[0] = losses is None
        flags[1:] = torch.tensor([parameter.grad is not None for parameter in parameters])
        for row, name in enumerate(names):
            for slot, value in (losses or {})[name].items():
                table[row, slot] = value
        head = torch.cat([flags, table.flatten()])
        exchange(dist.all_reduce, head)
        if head[0]:
            return None
        used = [parameter for parameter, ranks in zip(parameters, head[1 : len(flags)].tolist(), strict=True) if ranks]
        flat = torch.cat(
            [(torch.zeros_like(weight) if weight.grad is None else weight.grad).detach().reshape(-1) for weight in used]
        )
        exchange(dist.all_reduce, flat)
        for parameter, part in zip(used, flat.split([parameter.numel() for parameter in used]), strict=True):
            if parameter.grad is None:
                parameter.grad = torch.empty_like(parameter)
            parameter.grad.copy_(part.view(parameter.shape))
        self.is_between = True
        rows = head[len(flags) :].view(table.shape)[: len(names)].tolist()
        return {name: dict(enumerate(row)) for name, row in zip(names, rows, strict=True)}

    def _broadcast(self, *values: int) -> tuple[int, ...]:
        message = torch.tensor(values, dtype=torch.int64)
        exchange(dist.broadcast, message, src=0)
        return tuple(message.tolist())
