"""A drawing as PNG, by matplotlib, which the extra `plots` brings."""

from __future__ import annotations

import io
from typing import Any

from mtft.errors import ConfigError, install_hint
from mtft.io.text import printable
from mtft.report.drawing import PALETTE, Box, Dot, Drawing, Label, Path, Shape

DPI = 72
"""Pixels per inch when one unit of a drawing is one pixel; a point of text is then a unit too."""


def can_draw() -> bool:
    """Tell whether matplotlib is installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        return False
    return True


def to_png(drawing: Drawing, scale: float = 2.0) -> bytes:
    """Draw with the colours of a light page, `scale` pixels per unit."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise ConfigError(f"pictures as PNG need matplotlib; run: {install_hint('plots')}") from None
    figure = Figure(figsize=(drawing.width / DPI, drawing.height / DPI), dpi=DPI * scale)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, drawing.width), ylim=(drawing.height, 0))
    axes.set_axis_off()
    for order, shape in enumerate(drawing.shapes, 1):
        _draw(axes, shape, order)
    target = io.BytesIO()
    metadata = {"Title": printable(drawing.title), "Description": printable(drawing.description), "Software": "mtft"}
    figure.savefig(target, format="png", facecolor=PALETTE["surface"][0], metadata=metadata)
    return target.getvalue()


def _draw(axes: Any, shape: Shape, order: int) -> None:
    from matplotlib.patches import Circle, Rectangle

    common: dict[str, Any] = {"color": PALETTE[shape.color][0], "zorder": order}
    if isinstance(shape, Path):
        style = (0, tuple(length / shape.width for length in shape.dash)) if shape.dash else "-"
        xs, ys = zip(*shape.points, strict=True)
        axes.plot(xs, ys, linewidth=shape.width, linestyle=style, solid_joinstyle="round", clip_on=False, **common)
    elif isinstance(shape, Box):
        place = (shape.x, shape.y)
        axes.add_patch(Rectangle(place, shape.width, shape.height, alpha=shape.opacity, linewidth=0, **common))
    elif isinstance(shape, Dot):
        axes.add_patch(Circle((shape.x, shape.y), shape.radius, linewidth=0, **common))
    elif isinstance(shape, Label):
        align = {"start": "left", "middle": "center", "end": "right"}[shape.anchor]
        weight = "bold" if shape.bold else "normal"
        text = printable(shape.text).replace("$", r"\$")
        axes.text(shape.x, shape.y, text, fontsize=shape.size, weight=weight, ha=align, va="baseline", **common)
