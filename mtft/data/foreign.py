"""Recognise files that are not what their names say, such as a workbook called .csv, by how they begin."""

from __future__ import annotations

import json
import re

SIGNATURES = (
    (b"PK\x03\x04", "a zip archive or an Excel workbook (.xlsx); save it as CSV in UTF-8"),
    (b"\xd0\xcf\x11\xe0", "an old Excel or Word file (.xls); save it as CSV in UTF-8"),
    (b"PAR1", "a Parquet file; name it .parquet"),
    (b"ARROW1", "an Arrow file; save it as Parquet"),
    (b"Obj\x01", "an Avro file; save it as Parquet"),
    (b"SQLite format 3", "an SQLite database; save the table as CSV in UTF-8"),
    (b"%PDF", "a PDF document"),
    (b"\x89HDF", "an HDF5 file; save the table as CSV in UTF-8"),
    (b"BZh", "compressed with bzip2; use gzip or zstd"),
    (b"\xfd7zXZ", "compressed with xz; use gzip or zstd"),
    (b"7z\xbc\xaf", "a 7z archive; unpack it"),
    (b"\x80\x04\x95", "a Python pickle, which is never loaded; save the table as CSV or Parquet"),
    (b"version https://git-lfs", "a pointer of Git LFS, not the file itself; run: git lfs pull"),
)
"""First bytes of files that are no tables, and what such a file is."""

_HTML = re.compile(rb"\s*(<!doctype html|<html|<\?xml)", re.IGNORECASE)


def foreign_kind(head: bytes) -> str:
    """Return what a file is that begins with these bytes, "" unless it is known not to be a text table."""
    for signature, kind in SIGNATURES:
        if head.startswith(signature):
            return kind
    return "an HTML or XML document, such as the error page of a failed download" if _HTML.match(head) else ""


def is_json_record(line: str) -> bool:
    """Return whether a line is a whole JSON object, or the beginning of a JSON array of objects."""
    text = line.strip().removeprefix("\ufeff")
    if re.match(r"\[\s*\{\s*\"", text):
        return True
    if not (text.startswith("{") and text.endswith("}")):
        return False
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False
