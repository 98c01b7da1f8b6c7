"""``python -m mtft``: the same as the console script ``mtft``."""

from mtft.cli.main import start

if __name__ == "__main__":
    start()
