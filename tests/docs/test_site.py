"""Tests of the documentation site: it builds, its links lead somewhere, and it loads nothing from other servers."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from bs4 import BeautifulSoup

import customlabels_nb as cl
from tests.conftest import ROOT

#: Elements whose address a browser loads with the page.
LOADED = ("img", "script", "iframe", "source", "video", "audio", "embed")


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
