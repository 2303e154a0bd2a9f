"""Progress bars (tqdm) for training, imports and other long-running work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from customlabels_nb.errors import show_in_one_line
from customlabels_nb.events import Event, Events, Listener, Message, Metrics, Progress, stream_of


@contextmanager
def progress_bars(events: Events | Listener | None, *, show: bool = True) -> Iterator[Events]:
    """Show one tqdm progress bar per phase with the latest metrics, and print messages between the bars."""
    stream = stream_of(events)
    try:
        with _bars(stream) if show else nullcontext():
            yield stream
    except KeyboardInterrupt as error:
        show_in_one_line(error, "Stopped by you. Finished work is saved. Call the method again to continue.")
        raise


@contextmanager
def _bars(events: Events) -> Iterator[None]:
    from tqdm.auto import tqdm

    bars: dict[str, Any] = {}
    latest: Any = None

    def listener(event: Event) -> None:
        nonlocal latest
        if isinstance(event, Message):
            tqdm.write(event.text)
        elif isinstance(event, Metrics) and latest is not None:
            latest.set_postfix({name: f"{value:.3g}" for name, value in event.values.items()}, refresh=False)
        elif isinstance(event, Progress) and event.total != 0:
            bar = bars.get(event.phase)
            if bar is None:
                bar = bars[event.phase] = tqdm(total=event.total, desc=event.phase, unit=f" {event.unit}")
            latest = bar
            bar.total = event.total
            bar.update(event.done - bar.n)
            if event.total is not None and event.done >= event.total:
                bar.close()

    unsubscribe = events.subscribe(listener)
    try:
        yield
    finally:
        unsubscribe()
        for bar in bars.values():
            bar.close()


def say(text: str) -> None:
    """Print a line for the user without breaking a progress bar."""
    from tqdm.auto import tqdm

    tqdm.write(text)
