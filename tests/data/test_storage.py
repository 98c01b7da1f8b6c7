"""Text as it is stored: archives and encodings read back, and encodings that are not UTF-8 named."""

from __future__ import annotations

import gzip
import importlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtft.data.storage import Stored, likely_encoding, plain_name
from mtft.errors import DataError

TEXTS = {
    "cp1252": "Das Café war schön – „wirklich“ gut, naïve Gäste fanden es zu teuer",
    "mac_roman": "Le café était fermé, et l'été passé à la plage n'a pas été mauvais",
    "cp1251": "Этот фильм мне очень понравился, спасибо за хороший вечер",
    "koi8-r": "Этот фильм мне очень понравился, спасибо за хороший вечер",
    "shift_jis": "この映画はとても楽しかったです。また見たいと思います。",
    "euc_jp": "この映画はとても楽しかったです。また見たいと思います。",
    "gb18030": "这部电影非常好看，我很喜欢，推荐给大家。",
    "big5": "這部電影非常好看，我很喜歡，推薦給大家。",
    "euc_kr": "이 영화는 정말 재미있었습니다. 다시 보고 싶어요.",
    "utf-16-le": "a plain text\nof two lines\n",
    "utf-16-be": "a plain text\nof two lines\n",
}


@pytest.mark.parametrize("encoding", TEXTS)
def test_the_likely_encoding_of_usual_texts_is_named(encoding: str) -> None:
    assert likely_encoding(f"text,label\n{TEXTS[encoding]},good\n".encode(encoding)) == encoding


def test_a_few_words_of_russian_among_english_ones_are_enough() -> None:
    text = "the play was \u0444\u0438\u043b\u044c\u043c and the food was good\n" * 3
    assert likely_encoding(text.encode("cp1251")) == "cp1251"


@given(st.binary(max_size=300))
def test_of_any_bytes_an_encoding_is_named_that_python_knows(data: bytes) -> None:
    data.decode(likely_encoding(data), "replace")


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\ufeff\r\0"), max_size=60),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]),
    st.booleans(),
)
def test_lines_come_back_whatever_the_storage(text: str, encoding: str, packed: bool) -> None:
    data = text.encode(encoding)
    stored = Stored(Path("x.csv"), gzip.compress(data, mtime=0) if packed else data)
    assert stored.compression() == ("gzip" if packed else "")
    name = stored.encoding()
    assert name == encoding or not text
    lines = list(stored.lines(name, stored.line_end(name)))
    assert "".join(lines) == text
    assert all(line.endswith("\n") and line.count("\n") == 1 for line in lines[:-1])


@pytest.mark.parametrize(
    ("text", "end"), [("a\rb", "\r"), ("a\rb\n", "\n"), ("a\r\nb", "\n"), ("ab", "\n"), ("", "\n")]
)
def test_a_carriage_return_ends_lines_only_where_no_line_feed_does(text: str, end: str) -> None:
    stored = Stored(Path("x"), text.encode())
    assert stored.line_end("utf-8") == end
    assert len(list(stored.lines("utf-8", end))) == len([piece for piece in text.split(end) if piece])


def test_zstd_is_read_where_a_library_is_there() -> None:
    arrow = pytest.importorskip("pyarrow", reason="needs the extra parquet")
    packed = arrow.compress(b"a,b\n" * 1000, codec="zstd", asbytes=True)
    stored = Stored(Path("x.csv.zst"), packed)
    assert stored.compression() == "zstd"
    assert list(stored.lines("utf-8", "\n")) == ["a,b\n"] * 1000


def test_without_a_library_zstd_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(DataError, match=r"a zstd file needs Python 3\.14, zstandard or pyarrow"):
        list(Stored(Path("x"), b"\x28\xb5\x2f\xfd1234").lines("utf-8", "\n"))


@pytest.mark.parametrize(
    "data", [gzip.compress(b"a\n" * 999, mtime=0)[:-9], b"\x1f\x8bnot an archive", b"\x28\xb5\x2f\xfdnone"]
)
def test_a_damaged_archive_is_named(data: bytes) -> None:
    pytest.importorskip("pyarrow", reason="needs the extra parquet")
    with pytest.raises(DataError, match=r"^x\.csv: a damaged (gzip|zstd) file: "):
        list(Stored(Path("x.csv"), data).lines("utf-8", "\n"))


def test_an_archive_that_would_fill_the_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtft.data.storage.UNPACKED", (10, 1000))
    with pytest.raises(DataError, match="unpacks to more than 1,000 characters"):
        list(Stored(Path("x"), gzip.compress(b"a\n" * 9999, mtime=0)).lines("utf-8", "\n"))


def test_bytes_of_another_encoding_than_the_one_named_are_refused() -> None:
    with pytest.raises(DataError, match=r"^x: not ascii text \(ordinal not in range"):
        list(Stored(Path("x"), "é\n".encode()).lines("ascii", "\n"))
    assert list(Stored(Path("x"), b"\xff\n").lines("utf-8", "\n")) == ["\udcff\n"]  # for whoever reads to name


@pytest.mark.parametrize(
    ("name", "plain"), [("a.csv.gz", "a.csv"), ("a.csv", "a.csv"), ("b.TSV.ZST", "b.TSV"), ("gz", "gz")]
)
def test_the_suffix_of_a_compression_is_no_form(name: str, plain: str) -> None:
    assert plain_name(name) == plain
