"""Tests of names shown as text: no control characters, no markup, and all letters of any script."""

from __future__ import annotations

import pandas as pd
import pytest

import customlabels_nb as cl
from customlabels_nb._utils.text import escaped, one_line, plain_url, printable, without_passwords
from customlabels_nb.core.issues import Issue, issues_to_frame
from customlabels_nb.project.project import Distribution

HOSTILE = '\x1b[31mred\n"\x07\u202e<b>'


@pytest.mark.parametrize(
    "text", ["plain", "", "naïve 梨", "a\u00a0b", "10.30.12\u202fPM", "全角\u3000空白", "👩\u200d🌾", "می\u200cخواهم"]
)
def test_letters_and_joiners_are_kept(text: str) -> None:
    assert printable(text) == one_line(text) == text


def test_control_characters_are_removed() -> None:
    assert printable("a\x1b[2J\n\u202eb\ud800\r") == "a\ufffd[2J\n\ufffdb\ufffd\ufffd"
    assert one_line("a\r\nb\nc\u2028d") == "a b c d"
    assert one_line("\x9b31m\t") == "\ufffd31m\ufffd"
    assert escaped("<b>\"\n'") == "&lt;b&gt;&quot; &#x27;"


def test_printed_text_has_no_control_characters() -> None:
    images = pd.DataFrame({"image": [f"/{HOSTILE}.jpg"]})
    dataset = cl.Dataset(images, pd.DataFrame({"image": images["image"], "label": [HOSTILE]}), name=HOSTILE)
    notes = issues_to_frame([Issue("LABEL_TOO_RARE_TO_SPLIT", where=HOSTILE)])
    shown = [repr(dataset), dataset._repr_html_(), repr(Distribution(1, 1, notes))]
    for text in shown:
        assert all(character.isprintable() or character == "\n" for character in text)
    assert "red" in shown[0]
    assert "\n" not in shown[0] + shown[1]
    assert len(shown[2].splitlines()) == 2
    assert "<b>" not in dataset._repr_html_().replace("<b>\ufffd", "", 1)


@pytest.mark.parametrize(
    ("url", "plain"),
    [
        ("http://me:pw@host/a.jpg", "http://host/a.jpg"),
        ("https://token@host/a.jpg", "https://host/a.jpg"),
        ("HTTPS://me:p@w@host:80/a@b.jpg", "HTTPS://host:80/a@b.jpg"),
        ("s3://key:secret@bucket/a.jpg", "s3://bucket/a.jpg"),
        ("ftp://me:pw@host/a.jpg", "ftp://me@host/a.jpg"),
        ("zip://a.jpg::http://me:pw@host/x.zip", "zip://a.jpg::http://host/x.zip"),
        ("abfs://container@account.example/a.jpg", "abfs://container@account.example/a.jpg"),
        ("http://host/a:b@c.jpg", "http://host/a:b@c.jpg"),
        ("http://host?who=a:b@c", "http://host?who=a:b@c"),
        ("/photos/a:b@c.jpg", "/photos/a:b@c.jpg"),
    ],
)
def test_passwords_of_urls_are_left_out(url: str, plain: str) -> None:
    assert without_passwords(url) == plain
    assert (
        without_passwords(f'{{"source-ref": "{url}", "x": "{url}"}}') == f'{{"source-ref": "{plain}", "x": "{plain}"}}'
    )


@pytest.mark.parametrize(
    ("url", "plain"),
    [
        ("http://me:p w@host/a.jpg", "http://host/a.jpg"),
        ("https://me:\"p'<>@host/a.jpg", "https://host/a.jpg"),
        ("zip://a.jpg::http://me:p w@host/x.zip", "zip://a.jpg::http://host/x.zip"),
    ],
)
def test_a_password_may_be_of_any_characters(url: str, plain: str) -> None:
    with pytest.warns(UserWarning, match="password"):
        assert plain_url(url) == plain
