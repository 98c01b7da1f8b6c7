"""What labels look like: which are the same to the eye, which hold several labels, and which stand for no label."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence

NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")

_MARKS = (
    "- -- --- – — ? ?? . n/a #n/a n.a. na nan null nil none <na> <null> <none> \\n unlabelled unlabeled unannotated "
    "not_labelled not_labeled no_label nolabel missing undefined"
)

MARKS = frozenset(_MARKS.split())
"""Labels that often stand for no label, in lower case and with _ for white space; -1 is one beside other numbers."""

CERTAIN_MARKS = MARKS - {"na", "none", "nil", "missing", "undefined"}
"""Marks that are no word of any language."""

PARTING = "|;,+/&"
"""Signs that may part several labels in one cell."""

LONGEST_PART = 40
"""Characters of one of several labels in a cell; texts with commas have longer ones."""


def to_number(text: str) -> float | None:
    """Read a finite number, None if it is none; "nan", "inf" and "1_000" are words."""
    if not NUMBER.fullmatch(text):
        return None
    number = float(text)
    return number if math.isfinite(number) else None


def canonical(label: str) -> str:
    """Return what the loader compares: 1.0 is 1, and True and TRUE are true, as JSON and tables write it."""
    number = to_number(label)
    if number is not None:
        return str(int(number)) if number.is_integer() else repr(number)
    return label.casefold() if label.casefold() in ("true", "false") else label


def appearance(label: str) -> str:
    """Return what is left of a label without case, doubled and odd spaces, ways of coding, and invisible characters."""
    text = unicodedata.normalize("NFKC", canonical(label))
    text = "".join(sign for sign in text if not _invisible(sign))
    return unicodedata.normalize("NFKC", " ".join(text.casefold().split()))


def _invisible(sign: str) -> bool:
    return (unicodedata.category(sign) in ("Cf", "Cc") and not sign.isspace()) or 0xFE00 <= ord(sign) <= 0xFE0F


def look_alike(labels: Iterable[str]) -> list[list[str]]:
    """Return groups of different labels that look the same."""
    groups: dict[str, dict[str, None]] = defaultdict(dict)
    for label in labels:
        groups[appearance(label)][label] = None
    return [list(group) for group in groups.values() if len(set(map(canonical, group))) > 1]


def visible(label: str) -> str:
    """Quote a label; what cannot be seen in it is written as its code."""
    composed = unicodedata.normalize("NFC", label) == label
    shown = "".join(_code(sign) if _hidden(sign, composed) else sign for sign in label)
    return f"'{shown}'"


def _hidden(sign: str, composed: bool) -> bool:
    kind = unicodedata.category(sign)
    return (kind[0] in "CZ" and sign != " ") or _invisible(sign) or (kind[0] == "M" and not composed)


def _code(sign: str) -> str:
    return f"\\u{ord(sign):04x}" if ord(sign) < 0x10000 else f"\\U{ord(sign):08x}"


def several_labels(labels: Sequence[str]) -> str:
    """Return what parts several labels in the cells of a column, as in `a|b`; "" if each cell holds one.

    A bar or semicolon parts labels wherever it stands between two of them. A comma does where a part comes in two
    labels; +, / and & do where a part is a label by itself too. A list of JSON always holds several.
    """
    if any(_is_list(label) for label in labels):
        return "a list"
    for sign in PARTING:
        parted = [parts for label in labels if len(parts := _parts(label, sign)) > 1]
        if parted and max(len(part) for parts in parted for part in parts) <= LONGEST_PART:
            single = {label.strip() for label in labels if sign not in label}
            if sign in "|;" or _shared(parted, single, alone=sign in "+/&"):
                return sign
    return ""


def _is_list(label: str) -> bool:
    if not (label.startswith("[") and label.endswith("]")):
        return False
    try:
        return isinstance(json.loads(label.replace("'", '"')), list)
    except ValueError:
        return False


def _parts(label: str, sign: str) -> list[str]:
    return [part.strip() for part in label.split(sign) if part.strip()]


def _shared(parted: Sequence[Sequence[str]], single: set[str], *, alone: bool) -> bool:
    """Tell whether a part is a label by itself, or comes in two labels; numbers such as 1,5 and 2,5 are one label."""
    if all(len(parts) == 2 and all(map(str.isdigit, parts)) for parts in parted) and not single:
        return False
    if any(part in single for parts in parted for part in parts):
        return True
    seen = [part for parts in parted for part in set(parts)]
    return not alone and len(set(seen)) < len(seen)


# ---- labels that stand for no label ----------------------------------------------------------------------------------


def mark(label: str) -> str:
    """Return the usual form of a mark for no label, "" if the label is none; brackets around it do not count."""
    found = re.sub(r"\s+", "_", label.strip().casefold())
    plain = found.strip("()[]<>")
    return found if found in MARKS else plain if plain in MARKS else ""


def no_labels(labels: Iterable[str], scales: Iterable[frozenset[str]] = ()) -> tuple[list[str], list[str]]:
    """Return the labels that stand for no label beside the others, and those of which it is not sure.

    A word such as none is not sure where it is written as the other labels are, and a rank where one of `scales` has
    all labels. A lone word beside numbers is not sure either. -1 stands for no label beside three or more numbers from
    0 or 1 on, and may do so beside 0 and 1.
    """
    labels = list(labels)
    marks = [label for label in labels if mark(label)]
    real = [label for label in labels if label not in marks]
    if any(set(map(str.casefold, labels)) <= scale for scale in scales) or (real and all(map(_is_sign, real))):
        return [], []
    sure = [label for label in marks if mark(label) in CERTAIN_MARKS or not _written_alike(label, real)]
    unsure = [label for label in marks if label not in sure]
    words = [label for label in real if to_number(label) is None]
    if len(words) == 1 and len(real) > 2:
        unsure += words
    minus = [label for label in real if to_number(label) == -1]
    certain, possible = _minus_one([to_number(label) for label in real if label not in minus]) if minus else (0, 0)
    sure += minus if certain else []
    unsure += minus if possible else []
    if len(real) - sum(label in real for label in sure) < 2 and len(labels) > len(sure):
        certainly = [label for label in sure if mark(label) in CERTAIN_MARKS]
        return certainly, []
    return sure, unsure


def _minus_one(others: Sequence[float | None]) -> tuple[bool, bool]:
    """Tell whether -1 beside these numbers, or words (None), stands for no label: surely, or maybe."""
    numbers = sorted({number for number in others if number is not None})
    if not numbers and others:
        return True, False
    if len(numbers) < 2 or len(numbers) < len(set(others)) or numbers[0] < 0:
        return False, False
    maybe = numbers == [0, 1] or not all(map(float.is_integer, numbers))
    return not maybe, maybe


def _is_sign(label: str) -> bool:
    return not any(map(str.isalnum, label))


def _written_alike(label: str, others: Sequence[str]) -> bool:
    """Tell whether a word is written as all the others are: in small letters, in capitals, or with one capital.

    A short word in capitals, such as NA, is only like others that are as short.
    """
    words = [other for other in others if to_number(other) is None]
    if not words or len(words) < len(others) or not label[:1].isalnum():
        return False
    if mark(label) == "na":
        return label.isupper() and all(other.isupper() and len(other) <= 3 for other in words)
    return any(all(form(other) for other in (label, *words)) for form in (str.islower, str.isupper, _capital))


def _capital(text: str) -> bool:
    return text[:1].isupper() and not text[1:].isupper()
