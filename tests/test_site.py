"""The site of the guide: built without network, no dead link, nothing loaded from elsewhere."""

from __future__ import annotations

import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from commands import ROOT, clean

pytest.importorskip("sphinx", reason="the group `pages` is not installed")
pytestmark = pytest.mark.slow


class Page(HTMLParser):
    """The ids of an HTML page, its links, and the files that it loads."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.ids |= {found[name] for name in ("id", "name") if name in found}
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        elif tag in ("link", "script", "img", "iframe"):
            self.loaded += [found[name] for name in ("href", "src") if name in found]


def build(source: Path, out: Path) -> subprocess.CompletedProcess[str]:
    """Build the site as `make site` does."""
    options = ["--fail-on-warning", "--nitpicky", "--quiet", "--conf-dir", str(source / "examples/guide")]
    command = [sys.executable, "-m", "sphinx", *options, "--doctree-dir", str(out / "doctrees"), str(source), str(out)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=clean())


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    done = build(ROOT, out)
    assert done.returncode == 0, done.stderr
    api = [sys.executable, str(ROOT / "tests/generate_api.py"), str(out / "api")]
    subprocess.run(api, check=True, env=clean())
    return out


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {path: Page(path) for path in site.rglob("*.html") if "api" not in path.relative_to(site).parts}


def test_every_link_leads_to_a_file_and_an_anchor(pages: dict[Path, Page]) -> None:
    assert len(pages) > 20
    dead = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.is_file() or (target in pages and parts.fragment and parts.fragment not in pages[target].ids):
                dead.append(f"{path.name}: {link}")
    assert dead == []


def test_pages_load_nothing_from_elsewhere(pages: dict[Path, Page]) -> None:
    for path, page in pages.items():
        for name in page.loaded:
            parts = urlsplit(name)
            assert parts.scheme in ("", "data"), name
            assert parts.scheme or not parts.path or (path.parent / unquote(parts.path)).is_file(), (path, name)


def test_the_site_begins_with_the_guide(site: Path) -> None:
    assert "url=examples/guide/index.html" in (site / "index.html").read_text(encoding="utf-8")
    assert "API reference" in (site / "examples/guide/index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("link", ["[x](missing.md)", "[x](data.md#no-such-title)", "[x](#no-such-title)"])
def test_a_dead_link_stops_the_build(link: str, tmp_path: Path) -> None:
    guide = shutil.copytree(ROOT / "examples/guide", tmp_path / "examples/guide")
    for page in guide.glob("*.md"):
        page.write_text(f"# {page.stem}\n\n## Title\n", encoding="utf-8")
    assert build(tmp_path, tmp_path / "before").returncode == 0
    (guide / "index.md").write_text(f"# index\n\n{link}\n", encoding="utf-8")
    done = build(tmp_path, tmp_path / "after")
    assert done.returncode != 0
    assert "index.md" in done.stderr
