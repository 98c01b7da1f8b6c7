"""Labels that look the same, hold several labels, or stand for none."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtft.data.labels import (
    appearance,
    canonical,
    look_alike,
    mark,
    no_labels,
    odd_number,
    several_labels,
    to_number,
    told_apart,
    visible,
)


@pytest.mark.parametrize(
    ("labels", "groups"),
    [
        (["yes", "Yes", "no"], [["yes", "Yes"]]),
        (["yes", "yes\u200b"], [["yes", "yes\u200b"]]),
        (["very good", "very  good", "very\u00a0good"], [["very good", "very  good", "very\u00a0good"]]),
        (["caf\u00e9", "cafe\u0301"], [["caf\u00e9", "cafe\u0301"]]),
        (["so\u00adso", "soso", "\ufeffsoso"], [["so\u00adso", "soso", "\ufeffsoso"]]),
        (["\uff21", "a"], [["\uff21", "a"]]),
        (["1", "1.0", "2"], []),  # the loader reads them as one
        (["true", "True", "TRUE", "false"], []),
        (["true", "tru\u200be"], [["true", "tru\u200be"]]),
        (["a", "b", "ab", "a b"], []),
        (["New York", "NewYork", "Rome"], [["New York", "NewYork"]]),
        (["1 1111", "11111"], []),
        (["\u0430", "a", "b"], [["\u0430", "a"]]),  # Cyrillic
        (["N\u03bf", "no"], [["N\u03bf", "no"]]),  # Greek
        (["\u0130", "i"], [["\u0130", "i"]]),
        (["yes.", "yes", "no"], [["yes.", "yes"]]),
        (["very_good", "very good", "very-good", "bad"], [["very_good", "very good", "very-good"]]),
        (["low\u2013mid", "low-mid"], [["low\u2013mid", "low-mid"]]),
        (["A", "A-", "A+"], []),
        (["C", "C++", "C#"], []),
        (["-1", "1"], []),
        (["1_0", "10", "1.5", "15"], []),
        (["\u0434\u0430", "\u043d\u0435\u0442"], []),
    ],
)
def test_labels_that_differ_in_nothing_that_can_be_seen(labels: list[str], groups: list[list[str]]) -> None:
    assert look_alike(labels) == groups


def test_letters_of_another_script_are_shown_as_codes_where_the_look_is_equal() -> None:
    assert told_apart(["a", "\u0430"]) == ["'a'", r"'\u0430'"]
    assert told_apart(["yes", "Yes"]) == ["'yes'", "'Yes'"]
    assert told_apart(["\u0434\u0430", "\u0414\u0430"]) == ["'\u0434\u0430'", "'\u0414\u0430'"]


@given(st.text(min_size=1), st.sampled_from(["\u200b", "\u200d", "\ufeff", "\u00ad", "\u2060"]), st.integers(0, 9))
def test_an_invisible_character_changes_no_appearance(text: str, sign: str, index: int) -> None:
    assert appearance(f"a{text[:index]}{sign}{text[index:]}") == appearance(f"a{text}")


@given(st.text())
def test_appearance_is_stable_and_knows_neither_case_nor_composition(text: str) -> None:
    assert appearance(appearance(text)) == appearance(text)
    assert appearance(unicodedata.normalize("NFD", text)) == appearance(unicodedata.normalize("NFC", text))


@given(st.integers(-(10**9), 10**9))
def test_numbers_are_one_label_however_they_are_written(number: int) -> None:
    assert canonical(f"{number}.0") == canonical(str(number)) == str(number)


@given(st.text())
def test_what_is_shown_has_only_characters_that_can_be_seen(text: str) -> None:
    assert all(sign == " " or sign.isprintable() for sign in visible(text))


def test_what_cannot_be_seen_is_shown_as_its_code() -> None:
    assert visible("yes\u200b") == r"'yes\u200b'"
    assert visible("cafe\u0301") == r"'cafe\u0301'"
    assert visible("caf\u00e9 au lait") == "'caf\u00e9 au lait'"
    assert visible("a\u00a0b") == r"'a\u00a0b'"


@pytest.mark.parametrize(
    ("labels", "sign"),
    [
        (["product|shipping", "product", "returns"], "|"),
        (["a;b", "a", "b"], ";"),
        (["a;b;", "c"], ";"),
        (["a,b", "b,c"], ","),
        (["a, b", "a", "c"], ","),
        (["joy+anger", "joy", "anger"], "+"),
        (['["a", "b"]', '["a"]'], "a list"),
        (["['a']", "[]"], "a list"),
        (["0,1", "1,2", "2"], ","),
        (["1,5", "2,5", "3,5"], ""),  # decimal commas
        (["Sci/Tech", "World", "Sports"], ""),
        (["C++", "C#", "C"], ""),
        (["R&B", "rock"], ""),
        (["+", "-"], ""),
        (["so, so", "good, really"], ""),
        (["|", ";"], ""),
        (["a b", "a", "b"], ""),
        (["a#b", "a", "b"], "#"),
        (["food", "food:thai", "food:greek"], ""),
        (["a:b", "a", "b"], ":"),
        (["a\uff0cb", "a"], "\uff0c"),
        (["a\nb", "c"], "\n"),
        (["{'joy': 1}", "{'anger': 1}"], "a list"),
    ],
)
def test_cells_with_several_labels(labels: list[str], sign: str) -> None:
    assert several_labels(labels) == sign


@given(st.lists(st.text("abc xyz0", min_size=1), unique=True))
def test_words_and_numbers_without_signs_are_one_label_each(labels: list[str]) -> None:
    assert several_labels(labels) == ""


SCALES = (frozenset({"none", "mild", "severe"}),)


@pytest.mark.parametrize(
    ("labels", "sure", "unsure"),
    [
        (["entailment", "neutral", "-"], ["-"], []),
        (["0", "1", "2", "-1"], ["-1"], []),
        (["1", "2", "3", "-1.0"], ["-1.0"], []),
        (["a", "b", "-1"], ["-1"], []),
        (["-1", "0", "1"], [], ["-1"]),
        (["-1", "1"], [], []),
        (["-2", "-1", "0", "1"], [], []),
        (["UNT", "TIN", "NULL"], ["NULL"], []),
        (["TIN", "NULL"], ["NULL"], []),
        (
            ["pos", "neg", "NA", "n/a", "None", "nan", "?", "Unlabelled"],
            ["n/a", "nan", "?", "Unlabelled", "NA", "None"],
            [],
        ),
        (["FAVOR", "AGAINST", "NONE"], [], ["NONE"]),
        (["favor", "against", "none"], [], ["none"]),
        (["favor", "against", "None"], ["None"], []),
        (["mild", "severe", "none"], [], []),  # a rank
        (["EU", "SA", "NA"], [], ["NA"]),
        (["+", "-"], [], []),
        (["yes", "none"], [], []),
        (["0", "1", "unknown"], [], ["unknown"]),
        (["1", "x"], [], []),
        (["a", "b", "(none)", "[unlabelled]"], ["(none)", "[unlabelled]"], []),
        (["good", "bad"], [], []),
    ],
)
def test_labels_that_stand_for_no_label(labels: list[str], sure: list[str], unsure: list[str]) -> None:
    found = no_labels(labels, SCALES)
    assert (set(found[0]), found[1]) == (set(sure), unsure)


@given(st.lists(st.sampled_from(["a", "b", "0", "1", "2", "-1", "NA", "-", "none", "NULL", "?"]), unique=True))
def test_marks_are_among_the_labels_and_never_both_sure_and_unsure(labels: list[str]) -> None:
    sure, unsure = no_labels(labels)
    assert set(sure) <= set(labels)
    assert set(unsure) <= set(labels) - set(sure)


def test_marks_are_known_in_any_case_and_spacing() -> None:
    assert [mark(text) for text in ("NaN", " N/A ", "Not Labelled", "nano", "0")] == [
        "nan",
        "n/a",
        "not_labelled",
        "",
        "",
    ]


@pytest.mark.parametrize(
    ("labels", "odd"),
    [
        (["0,5", "1.25", "2"], "0,5"),
        (["1,000", "300"], "1,000"),
        (["10%", "25%"], "10%"),
        (["3", "\u22121"], "\u22121"),
        (["\u0660\u066b\u0665", "1"], "\u0660\u066b\u0665"),
        (["1'000", "2'500"], "1'000"),
        (["\u20ac5", "\u20ac7,50"], "\u20ac5"),
        (["2,5e-1", "1e-3"], "2,5e-1"),
        (["0.5", "-1", "+2", "1e5", "7."], ""),
        (["5", "good"], ""),
        (["A1", "B2"], ""),
        (["1 star", "2 stars"], ""),
        (["3+", "4"], ""),
        (["2020-01", "2021-02"], ""),
        (["1,5"], ""),
        ([], ""),
    ],
)
def test_numbers_that_are_not_written_as_numbers(labels: list[str], odd: str) -> None:
    assert odd_number(labels) == odd


@pytest.mark.parametrize(
    "label",
    [
        "-NaN",
        "+nan",
        "NaT",
        "#N/A",
        "#REF!",
        "1.#QNAN",
        "pd.NA",
        "k.A.",
        "Keine Angabe",
        "s/d",
        "\u2026",
        "*",
        "[]",
        "{}",
    ],
)
def test_marks_of_spreadsheets_libraries_and_other_languages_are_no_labels(label: str) -> None:
    assert no_labels(["yes", "no", label]) == ([label], [])
    assert no_labels(["0", "1", label]) == ([label], [])


@pytest.mark.parametrize("text", ["nan", "inf", "1_000", "1e999", "0x10", "", "-", "1,5"])
def test_what_is_no_number(text: str) -> None:
    assert to_number(text) is None
