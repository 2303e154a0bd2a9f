"""Tests of the documentation site: it builds, its links lead somewhere, and it loads nothing from other servers."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from bs4 import BeautifulSoup

import customlabels_nb as cl
from tests.conftest import ROOT

#: Elements whose address a browser loads with the page.
LOADED = ("img", "script", "iframe", "source", "video", "audio", "embed")

#: Start of a guide: its title, one paragraph, and a picture with a description.
GUIDE = re.compile(r"# .+\n\n(?=\w|`)(?:.+\n)+\n(?:!\[[^\]]{20,}\]\(|<picture>\n.+\n +<img alt=\"[^\"]{20,}\")")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the site, built with warnings as errors."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = dict(os.environ, NO_MKDOCS_2_WARNING="1")
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, BeautifulSoup]:
    return {path: BeautifulSoup(path.read_text("utf-8"), "html.parser") for path in site.rglob("*.html")}


@pytest.mark.thorough
def test_every_document_and_notebook_is_a_page(site: Path) -> None:
    documents = [path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")]
    notebooks = [path.relative_to(ROOT).with_suffix(".html") for path in (ROOT / "notebooks").glob("*.ipynb")]
    expected = [*documents, *notebooks, *map(Path, ("index.html", "changelog.html", "contributing.html"))]
    assert [page for page in expected if not (site / page).is_file()] == []


@pytest.mark.thorough
def test_links_and_images_lead_somewhere(site: Path, pages: dict[Path, BeautifulSoup]) -> None:
    names = {path: {tag["id"] for tag in page.find_all(id=True)} for path, page in pages.items()}
    broken, checked = [], 0
    for path, page in pages.items():
        for tag in page.find_all(["a", "link", *LOADED]):
            address = urlsplit(tag.get("href") or tag.get("src") or tag.get("srcset") or "")
            if address.scheme or address.netloc or path.name == "404.html":
                continue
            target = (path.parent / unquote(address.path)).resolve() if address.path else path
            target = target / "index.html" if target.is_dir() else target
            anchor = unquote(address.fragment)
            checked += 1
            if not target.is_file() or (anchor and target in names and not _there(anchor, names[target])):
                broken.append(f"{path.relative_to(site)}: {address.geturl()}")
    assert checked > 1000
    assert broken == []


def _there(anchor: str, names: set[str]) -> bool:
    return anchor in names or anchor in ("only-light", "only-dark")


@pytest.mark.thorough
def test_pages_load_nothing_from_other_servers(site: Path, pages: dict[Path, BeautifulSoup]) -> None:
    loaded = []
    for page in pages.values():
        loaded += [tag.get("src") or tag.get("srcset") or "" for tag in page.find_all(LOADED)]
        loaded += [tag["href"] for tag in page.find_all("link", href=True) if "canonical" not in tag.get("rel", [])]
        loaded += [found for tag in page.find_all("style") for found in _addresses(tag.get_text())]
    for path in site.rglob("*.css"):
        loaded += _addresses(path.read_text("utf-8"))
    assert len(loaded) > 100
    assert [address[:80] for address in loaded if re.match(r"(?!data:)([a-z]+:)?//", address)] == []


def _addresses(css: str) -> list[str]:
    """Return the addresses that a style sheet loads."""
    return re.findall(r"""url\(\s*["']?([^"')]+)""", css) + re.findall(r"""@import\s+["']([^"']+)""", css)


def guides(entry: Any) -> Iterator[str]:
    """Yield the pages of a part of the navigation."""
    for value in entry.values() if isinstance(entry, dict) else entry:
        yield from [value] if isinstance(value, str) else guides(value)


def test_guides_begin_with_what_you_get_and_a_picture() -> None:
    navigation = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))["nav"]
    pages = list(guides([part for part in navigation if "Guides" in part]))
    assert len(pages) > 20
    assert {path.name for path in (ROOT / "docs" / "guides").glob("*.md")} <= {Path(page).name for page in pages}
    bare = [page for page in pages if not GUIDE.match((ROOT / "docs" / page).read_text("utf-8"))]
    assert bare == []


def test_the_picture_of_the_plan_has_its_numbers() -> None:
    table = (ROOT / "docs" / "plan.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| (.+?) \| .+? \| .+? \| (.+?) \|", table, re.MULTILINE))
    picture = BeautifulSoup((ROOT / "docs" / "images" / "plan.svg").read_text("utf-8"), "html.parser")
    texts = [text.get_text() for text in picture.find_all("text", class_=["row", "key"])]
    assert len(texts) > 10
    assert {name: rows.get(name) for name in texts[::2]} == dict(zip(texts[::2], texts[1::2], strict=True))


def test_the_citation_has_the_keys_of_its_format_and_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == cl.__version__
    assert citation["license"] == "BSD-3-Clause"
    assert all(author.keys() & {"name", "family-names"} for author in citation["authors"])


def test_the_changelog_has_the_headings_of_keep_a_changelog() -> None:
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    versions = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert all(re.fullmatch(r"\[(Unreleased|\d+\.\d+\.\d+\] - \d{4}-\d{2}-\d{2})\]?", version) for version in versions)
    assert versions[0] == "[Unreleased]"
    kinds = set(re.findall(r"^### (.*)$", text, re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
