"""Download one file over HTTP, with resume; the file gets its final name only if its digest is correct."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException, HTTPResponse
from pathlib import Path

from mtft.errors import FetchError
from mtft.fetch.lock_file import check
from mtft.io.digests import BLOCK
from mtft.io.disk import CLOSED, FULL

TRIES = 4
PATIENCE = 30.0
"""Seconds without a byte after which a connection counts as broken."""

ProgressCallback = Callable[[int, int], None]
"""Called with the bytes received and the total (0: unknown)."""


def download(
    url: str, path: Path, expected: str, *, progress: ProgressCallback, wait: Callable[[float], None] = time.sleep
) -> None:
    """Download `url` to `path`; the digest must be `expected`.

    Received bytes are kept in ``path.part``; after a broken connection, this call or the next one continues from there.
    FetchError names the cause: the server, the connection, the disk or the digest.
    """
    part = path.with_name(f"{path.name}.part")
    for attempt in range(1, TRIES + 1):
        try:
            _continue(url, part, progress)
            break
        except urllib.error.HTTPError as error:
            if error.code == 416:  # the part is complete, or of another file
                break
            if error.code < 500 or attempt == TRIES:
                raise FetchError(f"{url}: the server says {error.code} {error.reason}") from None
        except (OSError, HTTPException) as error:
            if isinstance(error, OSError) and error.errno in (*FULL, *CLOSED):  # of the disk, not the connection
                raise FetchError(f"{part}: {error.strerror}; the bytes received are kept") from None
            if attempt == TRIES:
                reason = getattr(error, "reason", None) or error
                raise FetchError(
                    f"{url}: {reason}; the bytes received are kept, and the next try continues from there"
                ) from None
        wait(2.0 ** (attempt - 1))
    try:
        check(part, expected, url)
    except FetchError:
        part.unlink()
        raise
    part.replace(path)


def _continue(url: str, part: Path, progress: ProgressCallback) -> None:
    """Request the missing bytes and append them; OSError or HTTPException if the connection breaks."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "mtft", "Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    request = urllib.request.Request(url, headers=headers)
    with urllib.request.urlopen(request, timeout=PATIENCE) as response:
        if response.status != 206:
            have = 0
        total = have + int(response.headers.get("Content-Length") or 0)
        _append(response, part, have, total, progress)


def _append(response: HTTPResponse, part: Path, have: int, total: int, progress: ProgressCallback) -> None:
    with part.open("ab" if have else "wb") as file:
        progress(have, total)
        while block := response.read(BLOCK):
            file.write(block)
            have += len(block)
            progress(have, total)
    if have < total:
        raise ConnectionError(f"the connection broke after {have:,} of {total:,} bytes")
