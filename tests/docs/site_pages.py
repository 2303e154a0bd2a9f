"""Add the repository's documents and notebooks to the documentation site: a hook of MkDocs, see ``mkdocs.yml``.

The documents link to files of the repository, so that their links also work where the repository is shown. Here these
links become links to pages.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files
from nbconvert import MarkdownExporter

ROOT = Path(__file__).resolve().parents[2]
#: Document at the top of the repository → page.
DOCUMENTS = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
}
_LINK = re.compile(r"""(\]\(|(?:src|srcset|href)=")([^)"#:\s]+)""")
_PICTURE = re.compile(r'<picture>\s*<source [^>]*srcset="([^"]+)">\s*<img alt="([^"]*)" src="([^"]+)">\s*</picture>')


def on_files(files: Files, config: Any) -> Files:
    """Add the documents at the top of the repository, the notebooks and their images."""
    for path, page in DOCUMENTS.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / path)))
    for path in sorted((ROOT / "notebooks" / "images").iterdir()):
        files.append(File.generated(config, path.relative_to(ROOT).as_posix(), abs_src_path=str(path)))
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        resources = {"unique_key": path.stem, "output_files_dir": f"{path.stem}_files"}
        text, resources = MarkdownExporter().from_filename(str(path), resources=resources)
        files.append(File.generated(config, f"notebooks/{path.stem}.md", content=text))
        for name, content in resources["outputs"].items():
            files.append(File.generated(config, f"notebooks/{name}", content=content))
    return files


def on_page_markdown(markdown: str, page: Any, files: Files, **_: Any) -> str:
    """Point the links at pages, and show pictures in the colors that the reader chose."""
    pages = {document: name for name, document in DOCUMENTS.items()}
    here = page.file.src_uri
    source = pages.get(here) or (here if here.startswith("notebooks/") else f"docs/{here}")
    folder = posixpath.dirname(source)

    def to_page(found: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(folder, found[2]))
        target = DOCUMENTS.get(target) or re.sub(r"\.ipynb$", ".md", target.removeprefix("docs/"))
        if files.get_file_from_path(target) is None:
            return found[0]
        return found[1] + posixpath.relpath(target, posixpath.dirname(here) or ".")

    pictures = _PICTURE.sub(r"![\2](\3#only-light)![\2](\1#only-dark)", markdown)
    return _LINK.sub(to_page, pictures)
