"""``python -m mtft``: the same as the console script ``mtft``."""

import os
import sys

from mtft import processes
from mtft.cli.main import run

if __name__ == "__main__":
    code = run()
    if processes.size() > 1:  # as the interpreter ends, a thread of torch's gloo now and then aborts the process
        os._exit(code)  # all files are closed and the streams flushed
    sys.exit(code)
