"""Tests of the list of detectors and the choice of one, without transformers."""

from pathlib import Path

import pytest

import customlabels_nb as cl
from customlabels_nb.errors import InputError, WeightsUnavailableError
from customlabels_nb.events import Events, Message
from customlabels_nb.models import detectors
from customlabels_nb.models.detector_shape import OWN, TRANSFORMERS_DETECTORS, check_detector
from customlabels_nb.models.detectors import choose_detector
from customlabels_nb.user_settings import settings


@pytest.fixture
def weights(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Return the names of the detectors whose weights are on this machine, to be changed. There is no network."""
    here: set[str] = set()

    def fetch(name: str, events: Events) -> str:
        if name not in here:
            raise WeightsUnavailableError(f"The weights of {name!r} are not available: no network. With one, run: …")
        return name

    monkeypatch.setattr(settings, "threads", 2)
    monkeypatch.setattr(detectors, "fetch_detector", fetch)
    monkeypatch.setattr(detectors, "find_weights", lambda name: name if name in here else None)
    return here


def chosen(seconds: float, device: str, *, masks: bool = False) -> tuple[str, str]:
    events, texts = Events(), []
    events.subscribe(lambda event: texts.append(event.text) if isinstance(event, Message) else None)
    name = choose_detector("auto", masks=masks, seconds=seconds, device=device, events=events)
    return name, texts[0]


def test_auto_uses_the_most_accurate_that_suits_the_time_and_is_here(weights: set[str]) -> None:
    hours = 7200 * 2 * max(facts.core_seconds for facts in TRANSFORMERS_DETECTORS.values()) / 2
    name, text = chosen(120, "cpu")
    assert name == OWN
    assert text == "detector='auto' uses 'fasterrcnn': the others would take too much of the time on cpu."
    name, text = chosen(hours, "cpu")
    assert name == OWN
    assert text.endswith("The weights of 'rfdetr-large' are not available: no network.")
    weights |= {"dfine-small", "dfine-nano"}
    assert chosen(hours, "cpu")[0] == "dfine-small"
    weights.add("rfdetr-large")
    assert chosen(hours, "cpu")[0] == "rfdetr-large"
    assert chosen(hours, "cpu", masks=True) == (
        OWN,
        "detector='auto' uses 'fasterrcnn': the others cannot predict masks.",
    )


def test_detectors_are_listed_with_licence_and_accuracy() -> None:
    table = cl.detectors().set_index("name")
    assert table.loc[OWN, "offline"]
    assert set(TRANSFORMERS_DETECTORS) <= set(table.index)
    assert table["coco_ap"].dropna().between(20, 60).all()
    assert not any("xlarge" in name for name in table.index)
    names = list(TRANSFORMERS_DETECTORS)
    assert names == sorted(names, key=lambda name: table.loc[name, "coco_ap"])


def test_unknown_names_are_refused(tmp_path: Path) -> None:
    for name in ("auto", "dfine-small", "dfine-small@abc", "hf://user/name", str(tmp_path)):
        check_detector(name)
    for wrong in ("dfine", "dfine-smal@abc", str(tmp_path / "missing"), "a" * 300, None):
        with pytest.raises(InputError, match="Unknown detector"):
            check_detector(wrong)
