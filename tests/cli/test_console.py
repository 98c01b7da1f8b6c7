import io
import json
import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from mtft.cli.console import GAP, _fitting_widths, plain, print_json, say, table, warn
from mtft.config.schema import EvalConfig
from mtft.io.text import printable


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Terminal]:
    """Put a terminal in the place of a stream."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)

    def put(stream: str) -> Terminal:
        found = Terminal()
        monkeypatch.setattr(sys, stream, found)
        return found

    return put


ROWS = [["sst", 0.5, 100, None], ["quora\n", 0.75123456, 20000, 3]]


def test_plain_tables_are_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    table(["task", "accuracy", "n", "k"], ROWS)
    assert capsys.readouterr().out.splitlines() == [
        "task     accuracy      n  k",
        "sst           0.5    100",
        "quora\\n    0.7512  20000  3",
    ]


LONG = [["a-name-of-many-letters", "some words", "/a/path/that/no/terminal/should/break.csv"]]


@pytest.mark.parametrize("width", [70, 80, 100, 200])
def test_no_word_is_broken_where_the_terminal_has_room(
    terminal: Callable[[str], Terminal], monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    stream = terminal("stdout")
    monkeypatch.setattr(
        "mtft.cli.console._rich_console", lambda file: Console(file=file, color_system=None, width=width)
    )
    table(["name", "words", "path"], LONG)
    lines = stream.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert all(any(word in line for line in lines) for cell in LONG[0] for word in cell.split())


def test_a_narrow_terminal_gets_a_block_of_lines_for_each_row(
    terminal: Callable[[str], Terminal], monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = terminal("stdout")
    monkeypatch.setattr("mtft.cli.console._rich_console", lambda file: Console(file=file, color_system=None, width=50))
    table(["name", "n", "path"], [["a", None, LONG[0][2]], ["b", 3, "c" * 30]])
    assert [line.split() for line in stream.getvalue().splitlines()] == [
        ["name", "a"],
        ["path", LONG[0][2]],
        [],
        ["name", "b"],
        ["n", "3"],
        ["path", "c" * 30],
        [],
    ]


def test_tables_may_be_empty(capsys: pytest.CaptureFixture[str]) -> None:
    table(["a", "b"], [])
    assert capsys.readouterr().out == "a  b\n"


def test_tables_on_a_terminal_take_no_markup_from_cells(
    terminal: Callable[[str], Terminal], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    screen = terminal("stdout")
    table(["task", "n"], [["[red]sst[/red] :smile: \x1b[31m", 1]])
    assert "[red]sst[/red] :smile: \\u001b[31m" in screen.getvalue()
    assert "\x1b[3" not in screen.getvalue()


def test_tables_on_a_terminal_fold_what_is_too_long_for_a_line(terminal: Callable[[str], Terminal]) -> None:
    stdout = terminal("stdout")
    table(["a", "b"], [["x" * 150, "y" * 90 + ":47"]])
    text = stdout.getvalue()
    assert (text.count("x"), text.count("y"), text.count("…")) == (150, 90, 0)


def test_messages_go_to_stderr(capsys: pytest.CaptureFixture[str], terminal: Callable[[str], Terminal]) -> None:
    say("hello\x07 [b]")
    warn("odd")
    captured = capsys.readouterr()
    assert captured == ("", "hello\\u0007 [b]\nmtft: warning: odd\n")
    screen = terminal("stderr")
    say("hello\x07 [b] :smile:")
    assert screen.getvalue() == "hello\\u0007 [b] :smile:\n"


@dataclass
class Point:
    x: float
    path: Path


def test_json_takes_what_results_are_made_of(capsys: pytest.CaptureFixture[str]) -> None:
    print_json(
        {
            "z": math.nan,
            "a": Decimal("0.3"),
            "n": np.int64(3),
            "v": np.array([1.5, np.inf], dtype=np.float32),
            "p": Point(1.0, Path("a") / "b"),
            "s": {"b", "a"},
            "c": EvalConfig(),
            1: (True, None),
        }
    )
    found = json.loads(capsys.readouterr().out)
    assert list(found)[:2] == ["z", "a"]
    assert found["c"]["split"] == "dev"
    assert {key: found[key] for key in "zanvps1"} == {
        "z": None,
        "a": 0.3,
        "n": 3,
        "v": [1.5, None],
        "p": {"x": 1.0, "path": "a/b"},
        "s": ["a", "b"],
        "1": [True, None],
    }


def test_json_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": ["é"]}, indent=None)
    assert capsys.readouterr().out == '{"a": ["é"]}\n'


def test_json_refuses_what_it_cannot_say() -> None:
    with pytest.raises(TypeError, match="object cannot be written as JSON"):
        plain(object())


@given(st.text())
def test_escaped_json_reads_back_and_steers_no_terminal(text: str) -> None:
    written = printable(json.dumps(text, ensure_ascii=False))
    assert json.loads(written) == text
    assert not any(character in written for character in "\x1b\x9b\x07\r\u202e")


def test_plain_output_imports_no_rich() -> None:
    probe = (
        "import sys; from mtft.cli.console import *; say('a'); table(['a'], [[1]]); print_json(1)\n"
        "from mtft.cli.progress import ProgressBar; from mtft.plugin.context import Progress\n"
        "with ProgressBar() as progress: progress.update(Progress(1, 2, 0, {}, 0))\n"
        "print('rich' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert found.stdout.splitlines()[-1] == "False"


@given(
    st.lists(st.lists(st.text("ab ", max_size=30), min_size=1, max_size=5), min_size=1, max_size=6), st.integers(1, 120)
)
def test_columns_fit_the_room_or_there_is_none(columns: list[list[str]], room: int) -> None:
    widths = _fitting_widths(columns, room)
    words = [max(len(word) for text in column for word in [*text.split(), ""]) for column in columns]
    gaps = GAP * (len(columns) - 1)
    assert (widths is None) == (sum(words) + gaps > room)
    if widths is not None:
        assert sum(widths) + gaps <= room
        assert all(width >= word for width, word in zip(widths, words, strict=True))
        natural = [max(map(len, column)) for column in columns]
        assert widths == natural or sum(widths) + gaps > room - len(columns)
