"""A report in a real browser: renders, says nothing in its console, asks for nothing, can be read by keyboard."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import cli, reseal

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SIZES = {"desk": (1280, 900), "phone": (360, 740)}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Headless Chromium: the one that ``$MTFT_CHROMIUM`` or the path names; skips with a reason without one."""
    api = pytest.importorskip("playwright.sync_api")
    names = ("chromium", "chromium-browser", "google-chrome")
    path = os.environ.get("MTFT_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if path is None:
        pytest.skip(f"no Chromium: none of {', '.join(names)} on the path, and MTFT_CHROMIUM is not set")
    with api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield found
        found.close()


@pytest.fixture(scope="module")
def report(trained_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of two runs, so that everything that a report has is in it."""
    folder = tmp_path_factory.mktemp("browser")
    other = shutil.copytree(trained_run, folder / "other")
    done = cli("report", trained_run, other, "--out", folder / "report.html", "--resamples", "20")
    assert done.code == 0, done.err
    return folder / "report.html"


class Watched:
    """A page that is watched: what it says in its console, and what it asks for."""

    def __init__(self, browser: Any, report: Path, size: str = "desk", scheme: str = "light") -> None:
        width, height = SIZES[size]
        self.context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(report.as_uri(), wait_until="load")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_renders_quietly_at_every_size(browser: Any, report: Path, size: str, scheme: str) -> None:
    watched = Watched(browser, report, size, scheme)
    page = watched.page
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0]
    boxes = page.evaluate("[...document.querySelectorAll('svg')].map(svg => svg.getBoundingClientRect().toJSON())")
    assert len(boxes) > 10
    for box in boxes:
        assert box["width"] > 200
        assert box["height"] > 40
        assert box["x"] >= 0
        assert box["right"] <= SIZES[size][0]
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, ground[4:-1].split(","))) > 382) == (scheme == "light")
    bar = page.evaluate("getComputedStyle(document.querySelector('svg rect')).fill")
    assert bar.startswith("rgb(")  # the picture's colours are those of the page
    assert watched.said == []
    assert watched.asked == [report.as_uri()]
    watched.context.close()


@pytest.mark.parametrize("runs", [3, 6])
def test_the_scores_of_several_runs_fit_a_desk(browser: Any, trained_run: Path, tmp_path: Path, runs: int) -> None:
    """Runs differ from the first, so that each column holds a difference and its interval."""
    copies = [shutil.copytree(trained_run, tmp_path / f"seed-{number}-of-six") for number in range(runs)]
    for number, copy in enumerate(copies[1:]):
        for file in (copy / "predictions").glob("*.jsonl"):
            lines = file.read_text(encoding="utf-8").splitlines()
            records = [json.loads(line) for line in lines]
            values = [record["value"] for record in records]
            for record, value in zip(records, values[number + 1 :] + values[: number + 1], strict=True):
                record["value"] = value
            file.write_text("".join(f"{json.dumps(record)}\n" for record in records), encoding="utf-8")
            reseal(file)
    done = cli("report", *copies, "--out", tmp_path / "report.html", "--resamples", "20")
    assert done.code == 0, done.err
    watched = Watched(browser, tmp_path / "report.html")
    table = watched.page.locator(".scores")
    assert table.evaluate("table => table.scrollWidth <= table.parentElement.clientWidth")
    assert table.locator("thead th").count() == runs + 2
    assert table.locator(".change").count() > 0
    watched.context.close()


def test_texts_in_pictures_stay_in_them(browser: Any, report: Path) -> None:
    watched = Watched(browser, report, "phone")
    outside = watched.page.evaluate("""[...document.querySelectorAll('svg text')].filter(text => {
        const inner = text.getBoundingClientRect(), outer = text.closest('svg').getBoundingClientRect()
        return inner.left < outer.left - 2 || inner.right > outer.right + 2 || inner.bottom > outer.bottom + 2
    }).map(text => text.textContent)""")
    assert outside == []
    watched.context.close()


def test_everything_is_reached_by_keyboard(browser: Any, report: Path) -> None:
    watched = Watched(browser, report)
    page = watched.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") == 0  # it shows itself
    page.keyboard.press("Enter")
    page.wait_for_url("**#scores")
    page.evaluate("window.scrollTo(0, 0); document.activeElement.blur(); document.querySelector('.skip').focus()")
    links = page.locator("nav a").count()
    for _ in range(links):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#settings"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    reached = []
    for _ in range(200):
        page.keyboard.press("Tab")
        tag = page.evaluate("document.activeElement.tagName")
        if tag == "BODY":
            break
        reached.append(tag)
    assert reached.count("SUMMARY") == page.locator("summary").count()
    page.locator("figure summary").first.focus()
    page.keyboard.press("Enter")
    assert page.locator("figure details[open] table").first.is_visible()
    assert watched.said == []
    watched.context.close()
