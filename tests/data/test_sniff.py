"""How files are written is found in them: delimiters, quotes, headers, decimal commas, encodings; doubts are said."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from mtft.data.dialect import KEYS, CommaNumber, Dialect, Layout, form_of, layout_of
from mtft.data.readers import open_file, read_blocks, read_rows
from mtft.data.sniff import dialect_of, find_dialect
from mtft.data.storage import Stored
from mtft.errors import DataError


def find(text: str | bytes, name: str = "x.csv", layout: Layout | None = None) -> Dialect:
    data = text.encode() if isinstance(text, str) else text
    return find_dialect(Stored(Path(name), data), layout or Layout())


def rows(folder: Path, text: str | bytes, name: str = "x.csv", layout: Layout | None = None) -> list[dict[str, str]]:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return [row for _, row in read_rows(path, layout or Layout())]


# ---- Delimiters


@pytest.mark.parametrize("sign", ["\t", ",", ";", "|"])
def test_the_delimiter_is_the_one_that_cuts_all_rows_as_the_header(sign: str, tmp_path: Path) -> None:
    text = f"id{sign}text{sign}label\n1{sign}so, so; or | not{sign}a\n".replace(f"so{sign}", "so").replace(
        f"{sign} or", " or"
    )
    text = text.replace(f" {sign} not", " not") if sign == "|" else text
    assert find(text).delimiter == sign
    assert [list(row) for row in rows(tmp_path, text)] == [["id", "text", "label"]]


def test_a_comma_in_a_name_does_not_make_a_table_of_semicolons_one_of_commas(tmp_path: Path) -> None:
    text = "id;text, short;label\n" + "".join(f'{n};"a {n}; b, c";yes\n' for n in range(5))
    found = find(text)
    assert (found.delimiter, found.names) == (";", ("id", "text, short", "label"))
    assert rows(tmp_path, text)[0]["text, short"] == "a 0; b, c"


def test_where_two_delimiters_cut_all_rows_the_one_with_repeating_values_is_meant() -> None:
    found = find("text, short;label\n" + "".join(f"a {n}, b {n};{'yn'[n % 2]}\n" for n in range(6)))
    assert (found.delimiter, found.doubt) == (";", "")


def test_two_delimiters_that_are_as_good_are_a_doubt() -> None:
    found = find("a,b;c\n" + "".join(f"{n}x,{n}y;{n}z\n" for n in range(6)))
    assert (
        "all rows can be cut at commas (a | b;c) or at semicolons (a,b | c); set delimiter = ',' or ';'" in found.doubt
    )
    assert find("a,b;c\n1,2;3\n4,5;6\n", layout=Layout(delimiter=";")).names == ("a,b", "c")


def test_a_line_that_says_the_separator_is_no_header(tmp_path: Path) -> None:
    assert rows(tmp_path, "sep=;\r\na;b\r\n1;x,y\r\n") == [{"a": "1", "b": "x,y"}]
    assert next(read_rows(tmp_path / "x.csv"))[0] == 3
    assert "sep=~, which is not a supported delimiter" in find("sep=~\na~b\n").doubt


def test_one_column_is_a_table_whose_lines_are_texts(tmp_path: Path) -> None:
    text = 'review\nGood, really good\n"two\nlines, yes"\nplain\n'
    assert [row["review"] for row in rows(tmp_path, text)] == ["Good, really good", "two\nlines, yes", "plain"]
    assert find(text).describe() == "one column, fields in quotes, 1 row over several lines, UTF-8"
    assert find("review\na\n\nb\n \n").describe() == "one column, 1 blank line left out, UTF-8"
    doubt = find("report of may\n" + "1,a\n2,b\n3,c\n").doubt
    assert doubt == "the header has one column, 'report of may', but all rows have 2 fields cut at commas"


# ---- Quotes

GLUE = "id\ta\tb\tlabel\n" + "".join(f"{n}\tone {n}\ttwo {n}\t{n % 2}\n" for n in range(20))


@pytest.mark.parametrize(
    "planted",
    [
        {"two 3": '"two 3', "two 9": 'two 9"'},  # opens in one row, is closed in another
        {"two 3": '"two 3'},  # never closed
        {"one 5": '"one 5," said the guide.'},
        {"one 7": 'one 7 and "this"'},
        {"one 7": '"one 7"'},  # one field of many, and nothing in it that needs quotes
    ],
)
def test_quotes_are_text_between_tabs_where_nothing_needs_them(planted: dict[str, str], tmp_path: Path) -> None:
    text = GLUE
    for old, new in planted.items():
        text = text.replace(f"\t{old}\t", f"\t{new}\t")
    found = rows(tmp_path, text)
    assert len(found) == 20
    values = {value for row in found for value in row.values()}
    assert set(planted.values()) <= values


@pytest.mark.parametrize("field", ['"say ""so"""', '"a\tb"', '"two\nlines"'])
def test_quotes_between_tabs_are_taken_off_where_a_field_needs_them(field: str, tmp_path: Path) -> None:
    found = rows(tmp_path, GLUE.replace("\tone 4\t", f"\t{field}\t"))
    assert len(found) == 20
    assert found[4]["a"] == field[1:-1].replace('""', '"')
    assert find(GLUE.replace("\tone 4\t", f"\t{field}\t")).quotes


def test_quotes_around_whole_columns_between_tabs_are_taken_off(tmp_path: Path) -> None:
    text = "id\ttext\n" + "".join(f'{n}\t"film {n}"\n' for n in range(12))
    assert [row["text"] for row in rows(tmp_path, text)] == [f"film {n}" for n in range(12)]
    broken = text + '12\t"film 12\n'
    with pytest.raises(DataError, match=r"x\.csv:14: the quote is never closed"):
        rows(tmp_path, broken)


SWALLOWED = "id,text,label\n" + "".join(f"{n},film {n},{n % 2}\n" for n in range(20))


def test_a_quote_that_swallows_rows_is_an_error_by_default(tmp_path: Path) -> None:
    text = SWALLOWED.replace(",film 4,", ',"film 4,').replace(",film 9,", ',film 9",')
    with pytest.raises(DataError, match=r"x\.csv:6: a quote opened here swallows 5 lines of other rows"):
        rows(tmp_path, text)
    assert len(rows(tmp_path, text, layout=Layout(quotes=True))) == 15
    assert len(rows(tmp_path, text, layout=Layout(quotes=False))) == 20


def test_rows_over_two_lines_that_a_quote_swallows_are_seen_too(tmp_path: Path) -> None:
    text = SWALLOWED.replace(",film 4,", ',"film 4,').replace(",film 5,", ',film 5",')
    with pytest.raises(DataError, match=r"x\.csv:6: a quote opened here swallows 1 line of other rows"):
        rows(tmp_path, text)


def test_texts_over_several_lines_are_read_and_counted(tmp_path: Path) -> None:
    text = "text,label\n" + "".join(f'"a film, yes\nno. {n}, and more\nend",{n % 2}\n' for n in range(20))
    assert len(rows(tmp_path, text)) == 20
    assert "20 rows over several lines" in find(text).describe()


# ---- Headers


def test_without_a_header_the_columns_are_named_by_settings(tmp_path: Path) -> None:
    layout = Layout(header=False, columns=("label", "text"))
    assert rows(tmp_path, "good,a film\nbad,another\n", layout=layout) == [
        {"label": "good", "text": "a film"},
        {"label": "bad", "text": "another"},
    ]
    assert find("good,a film\n", layout=layout).describe() == "comma-separated, no header line, UTF-8"
    with pytest.raises(DataError, match=r"x\.csv:1: 2 fields where the setting columns has 3"):
        rows(tmp_path, "good,a film\n", layout=Layout(header=False, columns=("a", "b", "c")))


def test_the_first_row_without_a_header_may_be_a_space_but_no_empty_line(tmp_path: Path) -> None:
    layout = Layout(header=False, columns=("text",))
    assert rows(tmp_path, " \na film\n", layout=layout) == [{"text": " "}, {"text": "a film"}]
    with pytest.raises(DataError, match=r"x\.csv:1: line 1 is blank, and line 2 is not; remove the blank lines"):
        rows(tmp_path, "\na film\n", layout=layout)


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_header_that_comes_again_is_an_error(mark: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"x\.csv:3: repeats the header line"):
        rows(tmp_path, f"text,stars\na,1\n{mark}text,stars\nb,2\n")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("x.csv", "a,b,a\n1,2,3\n", "column 'a' appears twice"),
        ("x.tsv", "a\tb\ta\n1\t2\t3\n", "column 'a' appears twice"),
        ("x.jsonl", '{"a": 1, "a": 2}\n', "key 'a' appears twice"),
        ("x.json", '[{"a": 1, "b": {"c": 1, "c": 2}}]', "key 'c' appears twice"),
    ],
)
def test_a_name_that_comes_twice_is_an_error_everywhere(name: str, text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        rows(tmp_path, text, name)


# ---- Numbers


@pytest.mark.parametrize(
    ("values", "decimal"),
    [
        (["0,5", "1,0", "2"], True),
        (["-1,25", "+3,5", "4,75"], True),
        (["1,234", "5,678"], False),  # may be thousands
        (["0,125", "5,678"], True),
        (["2", "14", "27", "2,14"], False),  # may be two classes
        (["0.5", "1,0", "2,5"], False),
        (["1,0", "x"], False),
    ],
)
def test_decimal_commas_are_found_column_by_column(values: list[str], decimal: bool, tmp_path: Path) -> None:
    text = "text\tscore\n" + "".join(f"a, b\t{value}\n" for value in values)
    assert find(text).decimal == (frozenset({"score"}) if decimal else frozenset())
    marked = [isinstance(row["score"], CommaNumber) for row in rows(tmp_path, text)]
    assert marked == [decimal and "," in value for value in values]
    assert [row["score"] for row in rows(tmp_path, text)] == values  # no cell is changed


def test_decimal_commas_of_json_are_found_too(tmp_path: Path) -> None:
    text = json.dumps([{"t": "a", "s": value} for value in ("0,5", "1,5")])
    assert find(text, "x.json").decimal == {"s"}
    assert rows(tmp_path, text, "x.json")[0]["s"] == "0,5"


# ---- Files


def test_how_a_file_is_written_is_said_in_one_line() -> None:
    text = 'sep=;\na;b\n1;"x;y"\n'
    assert find(gzip.compress(text.encode("utf-16")), "x.csv.gz").describe() == (
        "semicolon-separated, fields in quotes, UTF-16, gzip"
    )
    assert find('[{"a": 1}]', "x.json").describe() == "JSON array, UTF-8"
    assert find('{"a": 1}\n', "x.json").describe() == "JSON Lines, UTF-8"
    assert find("a\tb\r1\t2\r").describe() == "tab-separated, UTF-8, lines end in a carriage return"


@pytest.mark.parametrize(
    ("text", "name", "doubt"),
    [
        ("a,b\n1,2\n".encode("utf-16-le"), "x.csv", "it looks like utf-16-le: set encoding = 'utf-16-le'"),
        ("größe,b\n1,2\n".encode("cp1252"), "x.csv", "it looks like cp1252: set encoding = 'cp1252'"),
        ('{"text": {"0": "a",\n "1": "b"}}', "x.json", "neither an array of objects"),
        ("", "x.csv", "no header line"),
    ],
)
def test_what_cannot_be_read_says_what_it_likely_is(text: str | bytes, name: str, doubt: str) -> None:
    assert doubt in find(text, name).doubt


def test_the_encoding_that_is_named_is_used(tmp_path: Path) -> None:
    layout = Layout(encoding="cp1252")
    assert rows(tmp_path, "größe,b\n1,–\n".encode("cp1252"), layout=layout) == [{"größe": "1", "b": "–"}]
    with pytest.raises(DataError, match=r"x\.csv:2: not UTF-8 text \(byte 0xe9\); the file looks like cp1252"):
        rows(tmp_path, "a,b\ncafé,1\n".encode("cp1252"))
    with pytest.raises(DataError, match="not ascii text"):
        rows(tmp_path, "a,b\ncafé,1\n", layout=Layout(encoding="ascii"))


def test_a_file_is_looked_at_once_until_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("a;b\n1;2\n", encoding="utf-8")
    first = dialect_of(path)
    assert dialect_of(path) is first
    path.write_text("a|b|c\n1|2|3\n", encoding="utf-8")
    assert dialect_of(path).delimiter == "|"
    assert open_file(path)[0].names == ("a", "b", "c")


def test_blocks_have_the_rows_and_lines_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,b\n" + "".join(f"{n},x\n" for n in range(10)) + "bad\n", encoding="utf-8")
    found, message = [], ""
    try:
        for block in read_blocks(tmp_path / "x.csv", size=4):
            found += [(block.numbers, [row["a"] for row in block.rows])]
    except DataError as error:
        message = str(error)
    assert found == [([2, 3, 4, 5], list("0123")), ([6, 7, 8, 9], list("4567")), ([10, 11], list("89"))]
    assert message == f"{tmp_path / 'x.csv'}:12: 1 fields where the header has 2"


@pytest.mark.parametrize(
    "again", ["text,label", "Text,LABEL", " text , label", '"text","label"', "\ufefftext,label", "label,text"]
)
def test_a_header_that_comes_again_is_an_error_however_it_is_written(again: str, tmp_path: Path) -> None:
    lines = ["text,label", "a,1", again, "b,2"]
    with pytest.raises(DataError, match=r"x\.csv:3: repeats the header line"):
        rows(tmp_path, "".join(f"{line}\n" for line in lines))


def test_a_row_with_a_name_of_a_column_in_it_is_a_row(tmp_path: Path) -> None:
    found = rows(tmp_path, "text,label\ntext,1\nlabel,label\ntext,text\n")
    assert [row["text"] for row in found] == ["text", "label", "text"]


# ---- What settings say


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("delimiter", "x", "'x' is not one of tab, comma, semicolon, bar, or the sign itself"),
        ("delimiter", 1, "1 is not one of"),
        ("quotes", "yes", "'yes' is not true or false"),
        ("header", 0, "0 is not true or false"),
        ("columns", [], r"\[\] is not a list of column names"),
        ("columns", ["a", "a"], "'a' is given twice"),
        ("encoding", "utf8000", "'utf8000' is not an encoding that Python knows"),
        ("encoding", "base64", "'base64' is not an encoding"),
        ("decimal", ";", '\';\' is not "," or "."'),
    ],
)
def test_what_is_wrong_with_a_key_is_said_with_what_is_allowed(key: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        KEYS[key](value)


def test_keys_become_a_layout() -> None:
    given = {"delimiter": "semicolon", "quotes": False, "encoding": "UTF8", "decimal": ","}
    layout = layout_of({key: KEYS[key](value) for key, value in given.items()})
    assert layout == Layout(";", False, encoding="utf-8-sig", decimal=",")
    with pytest.raises(ValueError, match=r"header = false needs columns"):
        layout_of({"header": False})
    with pytest.raises(ValueError, match=r"header = false"):
        layout_of({"columns": ("a",)})


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("a.CSV", "table"),
        ("a.tab", "table"),
        ("a.jsonl.gz", "jsonl"),
        ("a.json", "json"),
        ("a.parquet", "parquet"),
        ("a.parquet.gz", ""),
        ("a.txt", "lines"),
        ("a", ""),
    ],
)
def test_the_suffix_tells_the_form(name: str, form: str) -> None:
    assert form_of(name) == form
