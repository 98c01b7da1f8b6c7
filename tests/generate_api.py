"""Write the API reference as HTML from the docstrings: `make api`."""

from __future__ import annotations

import sys
from pathlib import Path

import pdoc
import pdoc.render

import mtft

MODULES = ("mtft", "mtft.testing")
"""What is public: the names in ``mtft.__all__``, and what plugin authors test with."""


def main(out: Path) -> None:
    """Write pages below `out`."""
    for name in mtft.__all__:  # pdoc reads what a module holds already
        setattr(mtft, name, getattr(mtft, name))
    pdoc.render.configure(docformat="google", footer_text=f"mtft {mtft.__version__}")
    pdoc.pdoc(*MODULES, output_directory=out)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
