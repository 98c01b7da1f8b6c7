"""``python -m mtft``: the same as the console script ``mtft``."""

import sys

from mtft.cli.main import run

if __name__ == "__main__":
    sys.exit(run())
