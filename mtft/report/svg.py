"""Drawings as SVG: inside a page, whose style sheet defines the colours, or as files of their own."""

from __future__ import annotations

from html import escape

from mtft.io.text import printable
from mtft.report.drawing import PALETTE, Box, Dot, Drawing, Label, Path, Shape

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'DejaVu Sans', sans-serif"


def colors_css(selector: str = ":root") -> str:
    """Return the palette as CSS variables, light and dark."""
    light, dark = ("; ".join(f"--{name}: {values[mode]}" for name, values in PALETTE.items()) for mode in (0, 1))
    return f"{selector} {{ {light} }}\n@media (prefers-color-scheme: dark) {{ {selector} {{ {dark} }} }}"


def to_svg(drawing: Drawing, name: str, *, alone: bool = False) -> str:
    """Return a drawing as SVG; `name` makes its ids unique. A file that stands `alone` defines its colours."""
    width, height = _number(drawing.width), _number(drawing.height)
    title, text = f"{name}-title", f"{name}-text"
    described = f'<desc id="{text}">{_text(drawing.description)}</desc>' if drawing.description else ""
    size = f' xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"' if alone else ""
    parts = [
        f'<svg{size} viewBox="0 0 {width} {height}" role="img" font-family="{FONT}" '
        f'aria-labelledby="{title}{f" {text}" if described else ""}">',
        f'<title id="{title}">{_text(drawing.title)}</title>{described}',
    ]
    if alone:
        parts += [f"<style>{colors_css('svg')}</style>", _shape(Box(0, 0, drawing.width, drawing.height, "surface"))]
    parts += [_shape(shape) for shape in drawing.shapes]
    return "\n".join([*parts, "</svg>"])


def _shape(shape: Shape) -> str:
    if isinstance(shape, Path):
        points = " ".join(f"{_number(x)},{_number(y)}" for x, y in shape.points)
        dash = f' stroke-dasharray="{shape.dash[0]:g} {shape.dash[1]:g}"' if shape.dash else ""
        style = f'fill="none" stroke="var(--{shape.color})" stroke-width="{shape.width:g}"{dash}'
        return _titled("polyline", f'points="{points}" {style} stroke-linejoin="round"', shape.title)
    if isinstance(shape, Box):
        position = f'x="{_number(shape.x)}" y="{_number(shape.y)}"'
        size = f'width="{_number(shape.width)}" height="{_number(shape.height)}"'
        opacity = "" if shape.opacity == 1 else f' fill-opacity="{shape.opacity:.3f}"'
        return _titled("rect", f'{position} {size} fill="var(--{shape.color})"{opacity}', shape.title)
    if isinstance(shape, Dot):
        position = f'cx="{_number(shape.x)}" cy="{_number(shape.y)}" r="{_number(shape.radius)}"'
        return _titled("circle", f'{position} fill="var(--{shape.color})" stroke="var(--surface)"', shape.title)
    return _label(shape)


def _label(label: Label) -> str:
    x, y = _number(label.x), _number(label.y)
    bold = ' font-weight="600"' if label.bold else ""
    style = f'font-size="{label.size:g}" text-anchor="{label.anchor}" fill="var(--{label.color})"'
    return f'<text x="{x}" y="{y}" {style}{bold}>{_text(label.text)}</text>'


def _titled(tag: str, attributes: str, title: str) -> str:
    return f"<{tag} {attributes}><title>{_text(title)}</title></{tag}>" if title else f"<{tag} {attributes}/>"


def _text(text: str) -> str:
    return escape(printable(text))


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
