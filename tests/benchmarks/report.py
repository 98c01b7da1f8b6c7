"""Results as a table on the terminal, as Markdown with a plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

Figure = Mapping[str, Any]
STYLE = """
  text { font: 13px sans-serif; fill: #1f2328 }
  .bar { fill: #4477aa } .miss { fill: #cc6677 } .goal { stroke: #1f2328; stroke-width: 2; stroke-dasharray: 4 3 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .goal { stroke: #e6edf3 } .bar { fill: #77aadd } .miss { fill: #ee99aa }
  }
"""


def value_text(figure: Figure) -> str:
    """Write a value and its unit."""
    if figure["value"] is None:
        return "not measured"
    number = f"{figure['value']:#.3g}".rstrip(".")
    return f"{number} {figure['unit']}".strip()


def goal_text(figure: Figure) -> str:
    """Write a goal; nothing without one."""
    goal = figure["goal"]
    return f"{goal['sense']} {goal['value']:g}" if goal else ""


def reached_text(figure: Figure) -> str:
    """Say whether the goal is reached."""
    if figure["reached"] is None:
        return ""
    return "yes" if figure["reached"] else "no"


def spread_text(figure: Figure) -> str:
    """Write the range of the paired runs."""
    runs = figure["runs"]
    return f"{min(runs):#.3g} to {max(runs):#.3g}" if len(runs) > 1 else ""


def raw_text(figure: Figure) -> str:
    """Write the medians behind a ratio."""
    parts = []
    for name, numbers in figure["raw"].items():
        found = [
            f"{number:#.3g} {label}".replace("seconds", "s").replace("peak GiB", "GiB")
            for label, number in numbers.items()
            if isinstance(number, float)
        ]
        found += [f"{number:,} {label}" for label, number in numbers.items() if isinstance(number, int)]
        if found:
            parts.append(f"{name} {', '.join(found)}")
    return "; ".join(parts)


COLUMNS = ("what", "against", "result", "runs", "goal", "reached")


def cells(figure: Figure) -> tuple[str, ...]:
    """Return a row of the table."""
    return (
        figure["what"],
        figure["against"],
        value_text(figure),
        spread_text(figure),
        goal_text(figure),
        reached_text(figure),
    )


def terminal(figures: Sequence[Figure]) -> str:
    """Return the table as aligned text."""
    rows = [COLUMNS, *(cells(figure) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)


def shared(sections: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Return what is the same for all sections."""
    first, *others = sections.values()
    return {key: text for key, text in first.items() if all(other.get(key) == text for other in others)}


def markdown(results: Mapping[str, Any], plot: str) -> str:
    """Return the whole page."""
    sections, figures = results["sections"], results["figures"]
    common = shared(sections)
    lines = [
        "# Benchmarks",
        "",
        "Made by `make bench`; do not edit. Times are medians of paired runs, taken in turns",
        "on the same batches, each candidate in a process of its own; every result is a ratio unless it has a",
        "unit. `tests/benchmarks/` says what is measured and how.",
        "",
    ]
    lines += [f"- {key}: {text}" for key, text in common.items()]
    lines += ["", f"![Results against the goals]({plot})"]
    for section in dict.fromkeys(figure["section"] for figure in figures):
        chosen = [figure for figure in figures if figure["section"] == section]
        own = "; ".join(f"{key}: {text}" for key, text in sections[section].items() if key not in common)
        lines += ["", f"## {section.capitalize()}", "", *([own[:1].upper() + own[1:] + ".", ""] if own else [])]
        lines += ["| " + " | ".join(COLUMNS) + " |", "|---" * len(COLUMNS) + "|"]
        lines += ["| " + " | ".join(cells(figure)) + " |" for figure in chosen]
        details = [
            f"- {f['what']} / {f['against']}: " + ". ".join(filter(None, [raw_text(f), f["note"]]))
            for f in chosen
            if raw_text(f) or f["note"]
        ]
        lines += ["", *details] if details else []
    return "\n".join(lines) + "\n"


def svg(figures: Sequence[Figure]) -> str:
    """Draw every figure that has a goal as a bar in units of its goal, longer being better; the line is the goal."""
    chosen = [figure for figure in figures if figure["goal"] and figure["value"]]
    step, left, scale, most = 42, 20, 200.0, 3.0
    height = step * len(chosen) + 50
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 880 {height}" role="img">',
        "<title>Results in units of their goals</title>",
        f"<style>{STYLE}</style>",
        f'<text x="{left}" y="20">dashed: the goal; longer is better, cut at 3 times</text>',
    ]
    for index, figure in enumerate(chosen):
        value, goal = figure["value"], figure["goal"]
        share = value / goal["value"] if goal["sense"] == "at least" else goal["value"] / value
        y = 36 + step * index
        kind = "bar" if figure["reached"] else "miss"
        label = f"{figure['what']} / {figure['against']}: {value_text(figure)} ({goal_text(figure)})"
        parts += [
            f'<text x="{left}" y="{y + 12}">{escape(label)}</text>',
            f'<rect class="{kind}" x="{left}" y="{y + 17}" width="{scale * min(share, most):.1f}" height="13"/>',
        ]
    x = left + scale
    parts += [f'<line class="goal" x1="{x}" y1="30" x2="{x}" y2="{height - 10}"/>', "</svg>"]
    return "\n".join(parts) + "\n"


def write(results: Mapping[str, Any], page: Path) -> None:
    """Write the page and its plot."""
    plot = page.with_suffix(".svg")
    plot.write_text(svg(results["figures"]), encoding="utf-8")
    page.write_text(markdown(results, plot.name), encoding="utf-8")
