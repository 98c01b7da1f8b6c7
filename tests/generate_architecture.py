"""Write examples/guide/architecture.md from the layers of tests/test_architecture.py and the modules: `make docs`."""

from __future__ import annotations

import ast
from pathlib import Path
from textwrap import fill

from test_architecture import LAYERS, MAX_LINES, ONLY, PURE, ROOT, modules, room, within

PAGE = ROOT / "examples" / "guide" / "architecture.md"

HEAD = """# Architecture

Made from the docstrings and from `LAYERS` in `tests/test_architecture.py` by `make docs`; do not edit.

One way through, and nothing flows back. Each arrow is a module that can be read alone:

```text
files -> examples -> token arrays -> packed batches -> encoder -> head -> loss per task
      -> flat gradient -> gradient matrix [T, k] -> surgery -> direction [k] -> packed AdamW -> run directory -> report
```

Two ideas keep it small:

- **One flat vector.** All encoder weights are views of `theta` [P], all their gradients views of `grad` [P]. A
  selection is a sorted index vector into them (k entries). So scores, surgery, AdamW and checkpoints are vector
  algebra on k numbers, and weights outside the selection stay bit-identical. Zero gradients with `grad.zero_()`,
  never with `zero_grad()`, which would cut the views.
- **No padding.** A batch holds the real tokens of many texts end to end; only attention knows where texts end. A
  batch's mean loss does not depend on how it is cut into micro-batches: sum, then divide by the task's count once.

## Layers

A folder, or a module outside the folders, imports from its own layer and from those above it. Folders form no circle,
modules neither, imports for types included. `tests/test_architecture.py` walks all imports.

"""


def summary(path: Path) -> str:
    """Return the first line of a module's docstring, without its full stop."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0].strip().removesuffix(".").replace("``", "`").replace("|", "\\|")


def layers(found: dict[str, Path]) -> list[str]:
    """Return the table of layers: number, part, what it holds."""
    rows = ["| layer | part | what it holds |", "|---|---|---|"]
    for number, parts in enumerate(LAYERS, 1):
        for part in parts:
            name = "mtft" if part == "__init__" else f"mtft.{part}"
            label = f"`{part}/`" if found[name].name == "__init__.py" and part != "__init__" else f"`{part}.py`"
            rows.append(f"| {number} | {label} | {summary(found[name])} |")
    return rows


def rules() -> list[str]:
    """Return the rules that hold in addition to the order of the layers."""
    found = [f"`{name}` is imported by {_listed(parts)} alone." for name, parts in ONLY.items()]
    pure = _listed(tuple(f"{name.replace('.', '/')}.py" for name in PURE))
    found += [
        f"{pure} know no model, task or setting: numbers and tensors in, numbers and tensors out.",
        'Definitions of tasks name their heads and losses as text (`"mtft.heads:report_head"`). So `mtft --help`, '
        "completion and `mtft tasks` load no torch.",
        f"No module has more than {MAX_LINES} lines.",
    ]
    return [fill(f"- {rule}", 120, subsequent_indent="  ", break_long_words=False) for rule in found]


def _listed(names: tuple[str, ...]) -> str:
    """Return names as code, the last after "and"."""
    *first, last = [f"`{name}`" for name in names]
    return f"{', '.join(first)} and {last}" if first else last


def tables(found: dict[str, Path]) -> list[str]:
    """Return a table of modules for each folder, in the order of the layers."""
    lines: list[str] = []
    for part in (part for parts in LAYERS for part in parts):
        inside = {name: path for name, path in found.items() if room(name) == part and path.name != "__init__.py"}
        if len(inside) > 1:
            lines += ["", f"### `{part}/`", "", "| module | what it holds |", "|---|---|"]
            lines += [f"| `{within(name).partition('.')[2]}` | {summary(path)} |" for name, path in inside.items()]
    return lines


def document() -> str:
    """Return the page."""
    found = modules(ROOT / "mtft")
    parts = [
        *layers(found),
        "",
        "In addition to the order of the layers:",
        "",
        *rules(),
        "",
        "## Modules",
        *tables(found),
    ]
    more = (
        "Besides `mtft/`: `plugins/` holds projects installed on their own, each with README and tests;"
        " `examples/` holds\nthe guide and configurations with what came of them, each run by the tests; `tests/` has a"
        " file for each module."
    )
    return HEAD + "\n".join([*parts, "", more, ""])


if __name__ == "__main__":
    PAGE.write_text(document(), encoding="utf-8")
