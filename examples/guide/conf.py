"""The settings of the site: `make site` shows the guide, the tutorials and the project's pages as HTML.

The repository is the source directory, so that the links of the Markdown files work in a checkout and on the site.
Links to files that are no pages become downloads. A link or anchor that leads nowhere stops the build.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import mtft

if TYPE_CHECKING:
    from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[2]
GUIDE = "examples/guide/"
PARTS = {
    "The guide": (
        "install",
        "method",
        "encoders",
        "data",
        "tasks",
        "shell",
        "running",
        "experiments-plans",
        "models",
        "plugins",
        "python",
        "commands",
    ),
    "Examples and results": ("tutorials", "results", "experiments", "benchmarks", "reliability"),
}
"""The pages of the guide in the order of the site's menu, by part; pages that are not listed come last."""

project = "mtft"
author = "The mtft authors"
version = release = mtft.__version__
extensions = ["myst_parser"]
root_doc = f"{GUIDE}index"
include_patterns = ["*.md", "examples/*/*.md", "plugins/*/README.md"]
exclude_patterns = [".*", "data", "dist", "runs", "mtft", "tests", "examples/report/runs"]
myst_heading_anchors = 4
highlight_language = "text"

html_theme = "furo"
html_title = f"mtft {release}"
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_show_copyright = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
templates_path = ["_templates"]
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        "sidebar/search.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "reference.html",
        "sidebar/scroll-end.html",
    ]
}


def menu() -> str:
    """Return the site's menu as hidden tables of contents, so that the pages themselves stay plain Markdown."""
    listed = {name for names in PARTS.values() for name in names} | {"index"}
    others = sorted(path.stem for path in (ROOT / GUIDE).glob("*.md") if path.stem not in listed)
    parts = {title: [f"/{GUIDE}{name}" for name in names] for title, names in PARTS.items()}
    parts["The project"] = [f"/{GUIDE}{name}" for name in others]
    parts["The project"] += [f"{path.stem.capitalize()} </{path.stem}>" for path in sorted(ROOT.glob("*.md"))]
    return "".join(toctree(title, pages) for title, pages in parts.items())


def toctree(title: str, pages: list[str]) -> str:
    """Return one part of the menu."""
    return "\n".join(["", "```{toctree}", ":hidden:", f":caption: {title}", "", *pages, "```", ""])


def add_menu(_app: Sphinx, name: str, source: list[str]) -> None:
    """Add the menu to the first page, and to the page of tutorials the tutorials and plugins."""
    if name == root_doc:
        source[0] += menu()
    elif name == f"{GUIDE}tutorials":
        pages = [*ROOT.glob("examples/*/*.md"), *ROOT.glob("plugins/*/README.md")]
        names = [f"/{path.relative_to(ROOT).with_suffix('')}" for path in sorted(pages) if path.parent.name != "guide"]
        source[0] += toctree("Tutorials", names)


def write_entry(app: Sphinx, error: Exception | None) -> None:
    """Write the page at the top of the site, which leads to the guide."""
    if error is None:
        entry = f'<!doctype html><title>mtft</title><meta http-equiv="refresh" content="0; url={root_doc}.html">'
        (Path(app.outdir) / "index.html").write_text(entry + f'<a href="{root_doc}.html">mtft</a>\n', encoding="utf-8")


def setup(app: Sphinx) -> None:
    """Connect the two functions above to the build."""
    app.connect("source-read", add_menu)
    app.connect("build-finished", write_entry)
