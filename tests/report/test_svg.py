"""Drawings as SVG: well-formed, escaped, in colours that can be read."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from mtft.report.drawing import PALETTE, Box, Dot, Drawing, Label, Path
from mtft.report.svg import colors_css, to_svg

HOSTILE = "</svg><script>alert(1)</script>\x1b[31m\u202e&\"'\ud800\x00$x$"
SHAPES = [
    Path(((1, 2), (30.125, 4)), "series-1", 2, (4, 4), title=HOSTILE),
    Box(1, 2, 30, 40, "cool", 0.5, HOSTILE),
    Dot(5, 6, 3, "ink", HOSTILE),
    Label(7, 8, HOSTILE, "ink", bold=True, anchor="middle"),
]


def drawing(*shapes: Path | Box | Dot | Label) -> Drawing:
    return Drawing(100, 50, f"title {HOSTILE}", f"description {HOSTILE}", [*(shapes or SHAPES)])


@pytest.mark.parametrize("alone", [False, True])
def test_svg_is_well_formed_and_harmless(alone: bool) -> None:
    text = to_svg(drawing(), "name", alone=alone)
    root = ElementTree.fromstring(text)
    tags = [element.tag.rpartition("}")[2] for element in root.iter()]
    assert "script" not in tags
    assert [tags.count(tag) for tag in ("polyline", "circle", "text")] == [1, 1, 1]
    assert "\x1b" not in text
    assert "\u202e" not in text
    text.encode()  # no lone surrogate
    assert not re.search(r"(href|src|url\()", text)


def test_svg_says_what_it_shows() -> None:
    root = ElementTree.fromstring(to_svg(Drawing(100, 50, "A title", "Some words."), "name"))
    found = {element.get("id"): element.text for element in root}
    assert root.get("role") == "img"
    assert [found[name] for name in (root.get("aria-labelledby") or "").split()] == ["A title", "Some words."]


def test_colours_are_those_of_the_palette() -> None:
    used = set(re.findall(r"var\(--([\w-]+)\)", to_svg(drawing(), "name", alone=True)))
    assert used <= set(PALETTE)
    assert all(
        f"--{name}: {light}" in colors_css() and f"--{name}: {dark}" in colors_css()
        for name, (light, dark) in PALETTE.items()
    )


def contrast(a: str, b: str) -> float:
    """Contrast of two colours as WCAG 2 defines it."""

    def luminance(color: str) -> float:
        parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("mode", [0, 1], ids=["light", "dark"])
def test_texts_and_lines_stand_out(mode: int) -> None:
    surface, ink = PALETTE["surface"][mode], PALETTE["ink"][mode]
    for name, colors in PALETTE.items():
        if name in ("ink", "muted") or name.startswith("series"):
            assert contrast(surface, colors[mode]) >= 4.5, name
        if name in ("cool", "warm"):
            assert contrast(ink, colors[mode]) >= 4.5, name
