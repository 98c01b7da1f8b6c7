"""The standard streams, whose other end may be closed."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TextIO


def tell(line: str) -> None:
    """Print a line to stderr; if it is closed, do nothing."""
    try:
        print(line, file=sys.stderr, flush=True)
    except BrokenPipeError:
        silence(sys.stderr)


def silence(*streams: TextIO) -> None:
    """Redirect a stream to the null device, so that Python can flush it at exit without an error."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in streams:
            os.dup2(nowhere, stream.fileno())
