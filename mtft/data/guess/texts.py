"""Choose a dataset's text columns: one, or two that belong together."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations, islice

from mtft.data.guess.columns import Column, Role

PAIRS = (
    ("premise", "hypothesis"),
    ("question", "answer"),
    ("query", "passage"),
    ("query", "document"),
    ("question", "sentence"),
    ("question", "passage"),
    ("question", "context"),
    ("claim", "evidence"),
    ("source", "target"),
    ("post", "reply"),
    ("text", "aspect"),
    ("anchor", "positive"),
)
"""Names of two columns that belong together, the first text first."""

PREPARED = re.compile(
    r"\b(clean|cleaned|(pre|post)? ?process(ed)?|normali[sz]ed?|lower(ed|case|cased)?|lemma(ti[sz]ed)?s?|"
    r"stem(med|s)?|token(i[sz]ed|s)?|stripped|filtered|no (stop|stopwords|punct|urls)|masked|anonymi[sz]ed|"
    r"tidy|prepared|short(ened)?)\b"
)
"""Words in the name of a column that was derived from another one."""

COPY_ROWS = 2000
"""Rows that are compared to detect copies."""

COPY_SHARE = 0.9
"""A column is a copy if, in this share of the rows, one text has nearly all words of the other in order."""


def choose_texts(
    columns: Mapping[str, Column], texts: Sequence[str], copies: Mapping[str, str]
) -> tuple[list[str], str]:
    """Return the one or two columns to read, and the alternatives; `copies` (copy -> column) are left out."""
    kept = [name for name in texts if name not in copies]
    chosen = _pair(columns, kept) or [max(kept, key=lambda name: columns[name].characters)]
    rest = [name for name in kept if name not in chosen]
    notes = []
    if len(chosen) == 2 and (rest or not _belong(*chosen)):
        notes.append(f"guess; or one of {', '.join(map(repr, kept))} alone")
    elif len(chosen) == 1 and rest:
        notes.append(f"guess; or a list of two of {', '.join(map(repr, kept))}")
    if copies:
        notes.append(f"guess; {', '.join(map(repr, copies))} has the same words, or nearly; or {_either(copies)} alone")
    return chosen, "; ".join(notes)


def _either(names: Iterable[str]) -> str:
    return " or ".join(map(repr, names))


def _pair(columns: Mapping[str, Column], texts: Sequence[str]) -> list[str] | None:
    """Find two columns whose names belong together, or the only two if both hold longer texts."""
    for first, second in combinations(texts, 2):
        if _belong(first, second):
            return [second, first] if (second.casefold(), first.casefold()) in PAIRS else [first, second]
    if len(texts) == 2:
        short, long = sorted(columns[name].mean_words for name in texts)
        return list(texts) if short >= 4 and 4 * short >= long else None
    return None


def _belong(first: str, second: str) -> bool:
    """Return whether two names differ by a number or letter at the end, or are a known pair."""
    one, two = first.casefold(), second.casefold()
    if (one, two) in PAIRS or (two, one) in PAIRS:
        return True
    stems = [re.sub(r"[_\- ]?([0-9]|[ab])$", "", name) for name in (one, two)]
    return bool(stems[0] == stems[1] and one != two and stems[0] not in (one, two))


# ---- columns that copy another one -----------------------------------------------------------------------------------


def find_copies(
    columns: Mapping[str, Column], roles: Mapping[str, Role], rows: Iterable[Mapping[str, str]]
) -> dict[str, str]:
    """Return text columns that are cleaned or shortened copies of another one: {copy: original}.

    Columns whose names belong together, such as sentence1 and sentence2, are never copies of each other.
    """
    texts = [name for name, role in roles.items() if role == "text"]
    pairs = [pair for pair in combinations(texts, 2) if not _belong(*pair)]
    least = {pair: 0.8 if any(_is_prepared(columns[name]) for name in pair) else 1.0 for pair in pairs}
    same: Counter[tuple[str, str]] = Counter()
    both: Counter[tuple[str, str]] = Counter()
    for row in islice(rows, COPY_ROWS) if pairs else ():
        words = {name: re.findall(r"\w+", row.get(name, "").casefold()) for name in texts}
        for one, two in pairs:
            if words[one] and words[two]:
                both[one, two] += 1
                same[one, two] += _is_copy(words[one], words[two], least[one, two])
    found: dict[str, str] = {}
    for one, two in pairs:
        if both[one, two] and same[one, two] >= COPY_SHARE * both[one, two]:
            copy, kept = _ranked(columns[one], columns[two])
            found.setdefault(copy, found.get(kept, kept))
    return found


def _is_copy(one: Sequence[str], two: Sequence[str], least: float) -> bool:
    """Return whether a share `least` of the shorter text's words occur in order in the other, not much longer one."""
    short, long = sorted((one, two), key=len)
    if len(short) < 0.4 * len(long):
        return False
    at = common = 0
    for word in short:
        for index in range(at, len(long)):
            if long[index] == word or (len(word) > 3 and long[index][:3] == word[:3]):
                at, common = index + 1, common + 1
                break
    return common >= least * len(short)


def _is_prepared(column: Column) -> bool:
    return bool(PREPARED.search(" ".join(column.name_words)))


def _ranked(one: Column, two: Column) -> tuple[str, str]:
    """Return (copy, original), judged by the names; otherwise the column with more characters is the original."""
    prepared = [_is_prepared(column) for column in (one, two)]
    if prepared[0] != prepared[1]:
        return (one.name, two.name) if prepared[0] else (two.name, one.name)
    return (two.name, one.name) if one.characters >= two.characters else (one.name, two.name)
