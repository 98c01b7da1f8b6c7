"""A server on this machine that stands in for the hub and for the course's repository."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

COMMIT = "c0ffee" + "0" * 34


def blob_id(data: bytes) -> str:
    """Return git's id of a file."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@dataclass
class StandIn:
    """Files by path, as ``owner/name/file`` or ``datasets/owner/name/file``, and what was asked.

    `breaks` are connections that still break half-way; `lies` are paths whose metadata have a wrong digest.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    large: set[str] = field(default_factory=set)
    lies: set[str] = field(default_factory=set)
    breaks: int = 0
    status: int = 200
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    url: str = ""

    def metadata(self, name: str) -> dict[str, Any] | None:
        """Describe a repository as the hub's interface does."""
        inside = {
            path.removeprefix(f"{name}/"): data for path, data in self.files.items() if path.startswith(f"{name}/")
        }
        if not inside:
            return None
        siblings = []
        for path, data in inside.items():
            honest = data if f"{name}/{path}" not in self.lies else b"other"
            entry: dict[str, Any] = {"rfilename": path, "size": len(data), "blobId": blob_id(honest)}
            if f"{name}/{path}" in self.large:
                sha256 = hashlib.sha256(honest).hexdigest()
                entry["lfs"] = {"sha256": sha256, "size": len(data), "pointerSize": 134}
            siblings.append(entry)
        return {
            "id": name,
            "_id": "1",
            "sha": COMMIT,
            "siblings": siblings,
            "tags": [],
            "private": False,
            "downloads": 0,
            "likes": 0,
        }


@contextmanager
def serving(files: dict[str, bytes]) -> Iterator[StandIn]:
    """Serve files on a port of this machine until the block ends."""
    stand_in = StandIn(dict(files))
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(stand_in))
    stand_in.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield stand_in
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(stand_in: StandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def _answer(self, *, body: bool) -> None:
            path = self.path.partition("?")[0].lstrip("/")
            stand_in.asked.append((self.command, path, self.headers.get("Range", "")))
            if stand_in.status != 200:
                self._send(stand_in.status, b"", {}, body)
            elif path.startswith("api/models/"):
                found = stand_in.metadata(path.removeprefix("api/models/").partition("/revision/")[0])
                data = json.dumps(found).encode() if found else b'{"error": "Repository not found"}'
                headers = {"Content-Type": "application/json"} | ({} if found else {"X-Error-Code": "RepoNotFound"})
                self._send(200 if found else 404, data, headers, body)
            else:
                self._file(path, body)

        def _file(self, path: str, body: bool) -> None:
            repository, resolve, rest = path.partition("/resolve/")
            name = f"{repository}/{rest.partition('/')[2]}" if resolve else path
            if name not in stand_in.files:
                self._send(404, b"", {"X-Error-Code": "EntryNotFound"}, body)
                return
            data = stand_in.files[name]
            tag = hashlib.sha256(data).hexdigest() if name in stand_in.large else blob_id(data)
            headers = {
                "ETag": f'"{tag}"',
                "X-Repo-Commit": rest.partition("/")[0] if len(rest) > 40 else COMMIT,
                "Accept-Ranges": "bytes",
            }
            start = int(self.headers.get("Range", "bytes=0-")[6:].partition("-")[0])
            if start >= len(data) > 0:
                self._send(416, b"", headers, body)
                return
            if start:
                headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
            self._send(206 if start else 200, data[start:], headers, body)

        def _send(self, status: int, data: bytes, headers: dict[str, str], body: bool) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if body and stand_in.breaks and len(data) > 1:
                stand_in.breaks -= 1
                self.wfile.write(data[: len(data) // 2])
                self.close_connection = True
            elif body:
                self.wfile.write(data)

    return Handler
