"""Parse TOML: by the standard library from Python 3.11 on, by tomli before."""

import sys

if sys.version_info >= (3, 11):
    from tomllib import loads
else:
    from tomli import loads

__all__ = ["loads"]
