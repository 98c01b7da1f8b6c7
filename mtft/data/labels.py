"""The look of labels: which look the same, which hold several labels, and which mean no label."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence

NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")

_MARKS = (
    "- -- --- – — − ? ?? . .. ... … …… * ** _ __ [] {} () <> \"\" '' n/a #n/a #na n.a. n.a na na. nan nan. -nan +nan "
    "nat -1.#ind 1.#ind -1.#qnan 1.#qnan #value! #ref! #name? #null! #num! #div/0! null nil none <na> <null> <none> "
    "np.nan pd.na pd.nat \\n unlabelled unlabeled unannotated not_labelled not_labeled not_annotated no_label nolabel "
    "no_annotation no_gold_label not_available not_applicable missing undefined k.a. keine_angabe s/d sin_dato "
    "sin_datos sin_etiqueta kein_label ohne_label n.d. non_disponible brak_danych н/д нет_данных 未标注 "
    "无标签 未知標籤 欠損"
)

MARKS = frozenset(_MARKS.split())
"""Marks that often mean no label, in lower case and with _ for white space; -1 is another, among other numbers."""

CERTAIN_MARKS = MARKS - {"na", "none", "nil", "missing", "undefined"}
"""Marks that are not words of any language."""

_ALIKE = (
    "аa αa вb βb сc еe εe ғf нh ηh іi ιi ıi јj кk κk мm оo οo рp ρp ѕs тt τt υu νv хx χx уy ζz "
    "‐- ‑- ‒- –- —- −- ‘' ’' “\" ”\" ⁄/"
)
LOOK = "case, spaces, punctuation, or characters that are invisible or look alike"
"""What does not count when labels are compared by their look."""

SAME_LOOK: dict[int, str | None] = {ord(pair[0]): pair[1] for pair in _ALIKE.split()} | {0x307: None}
"""Lower-case letters and signs that look like Latin letters and plain signs; the dot of a decomposed i is left out."""

ALWAYS = ("|", ";", "\uff1b", "\n")
LISTING = (",", "\uff0c", "\u3001")
ADDING = ("+", "/", "&")
OPEN = ("#", ":")
PARTING = (*ALWAYS, *LISTING, *ADDING, *OPEN)
"""What may separate several labels in one cell, from what always does to what also stands inside one label."""

LONGEST_PART = 40
"""Most characters of each of several labels in a cell; the parts of texts with commas are longer."""


def to_number(text: str) -> float | None:
    """Return a text as a finite number, None if it is not one; "nan", "inf" and "1_000" are words."""
    if not NUMBER.fullmatch(text):
        return None
    number = float(text)
    return number if math.isfinite(number) else None


_UNITS = re.compile(r"[\s'’_%‰$€£¥₹₩₽.,٫٬]+")


def odd_number(labels: Sequence[str]) -> str:
    """Return a label that is no number as mtft reads it, if all labels are numbers written in some way; "" otherwise.

    Such ways are decimal commas beside points, thousands marks, percent and currency signs, other digits and dashes.
    """
    if len(labels) < 2 or not all(map(_like_number, labels)):
        return ""
    return next((label for label in labels if to_number(label) is None), "")


def _like_number(label: str) -> bool:
    plain = unicodedata.normalize("NFKC", label).translate(SAME_LOOK)
    digits = _UNITS.sub("", re.sub(r"(?<=[0-9])[eE][+-]?(?=[0-9])", "", plain).lstrip("+-"))
    return digits.isdecimal()


def canonical(label: str) -> str:
    """Return the form in which labels are compared: 1.0 is 1, and True and TRUE are true, as in JSON and tables."""
    number = to_number(label)
    if number is not None:
        return str(int(number)) if number.is_integer() else repr(number)
    return label.casefold() if label.casefold() in ("true", "false") else label


def appearance(label: str) -> str:
    """Return a label in a normal form: case, spacing, punctuation at the end, invisible characters and which of several
    characters that look alike is used do not count.
    """
    text = unicodedata.normalize("NFKC", canonical(label))
    text = "".join(sign for sign in text if not _invisible(sign)).casefold().translate(SAME_LOOK)
    text = re.sub(r"(?<=\w)[\s_-]+(?=\w)", " ", " ".join(text.split()))
    return unicodedata.normalize("NFKC", text.rstrip(".,:;! ") or text)


def _invisible(sign: str) -> bool:
    return (unicodedata.category(sign) in ("Cf", "Cc") and not sign.isspace()) or 0xFE00 <= ord(sign) <= 0xFE0F


def look_alike(labels: Iterable[str]) -> list[list[str]]:
    """Return groups of different labels that look the same."""
    groups: dict[str, dict[str, None]] = defaultdict(dict)
    for label in labels:
        groups[_closed(appearance(label))][label] = None
    return [list(group) for group in groups.values() if len(set(map(canonical, group))) > 1]


def _closed(text: str) -> str:
    """Return a longer text of words without the spaces between them: New York and NewYork look the same."""
    closed = text.replace(" ", "")
    return closed if len(closed) >= 5 and closed.isalpha() else text


def told_apart(group: Sequence[str]) -> list[str]:
    """Quote labels that look the same; letters of another script are written as their codes where the look is equal."""
    folded = [label.translate(SAME_LOOK) for label in group]
    alike = {name for name, label in zip(folded, group, strict=True) if folded.count(name) > 1 or name in group}
    return [
        "".join(_code(sign) if name in alike and ord(sign) in SAME_LOOK else sign for sign in visible(label))
        for name, label in zip(folded, group, strict=True)
    ]


def visible(label: str) -> str:
    """Quote a label; invisible characters are written as their codes."""
    composed = unicodedata.normalize("NFC", label) == label
    shown = "".join(_code(sign) if _hidden(sign, composed) else sign for sign in label)
    return f"'{shown}'"


def _hidden(sign: str, composed: bool) -> bool:
    kind = unicodedata.category(sign)
    return (kind[0] in "CZ" and sign != " ") or _invisible(sign) or (kind[0] == "M" and not composed)


def _code(sign: str) -> str:
    return f"\\u{ord(sign):04x}" if ord(sign) < 0x10000 else f"\\U{ord(sign):08x}"


def several_labels(labels: Sequence[str]) -> str:
    """Return the sign that separates several labels in a column's cells, as in `a|b`; "" if each cell holds one label.

    A bar, a semicolon or a line end between two labels always separates them. A comma does if a part occurs in two
    labels, and +, / and & do if a part is also a label by itself; # and : do if all parts of a label
    are. A JSON list or object always holds several labels.
    """
    if any(_is_nested(label) for label in labels):
        return "a list"
    for sign in PARTING:
        parted = [parts for label in labels if len(parts := _parts(label, sign)) > 1]
        if parted and max(len(part) for parts in parted for part in parts) <= LONGEST_PART:
            single = {label.strip() for label in labels if sign not in label}
            if sign in ALWAYS or (sign in OPEN and any(single.issuperset(parts) for parts in parted)):
                return sign
            if sign not in OPEN and _shared(parted, single, alone=sign in ADDING):
                return sign
    return ""


def _is_nested(label: str) -> bool:
    if f"{label[:1]}{label[-1:]}" not in ("[]", "{}") or mark(label):
        return False
    try:
        return isinstance(json.loads(label.replace("'", '"')), list | dict)
    except ValueError:
        return False


def _parts(label: str, sign: str) -> list[str]:
    return [part.strip() for part in label.split(sign) if part.strip()]


def _shared(parted: Sequence[Sequence[str]], single: set[str], *, alone: bool) -> bool:
    """Return whether a part is a label by itself or occurs in two labels; numbers such as 1,5 and 2,5 are one label."""
    if all(len(parts) == 2 and all(map(str.isdigit, parts)) for parts in parted) and not single:
        return False
    if any(part in single for parts in parted for part in parts):
        return True
    seen = [part for parts in parted for part in set(parts)]
    return not alone and len(set(seen)) < len(seen)


# ---- labels that mean no label ---------------------------------------------------------------------------------------


def mark(label: str) -> str:
    """Return the usual form of a mark for no label, "" if the label is not a mark; brackets around it are ignored."""
    found = re.sub(r"\s+", "_", label.strip().casefold())
    plain = found.strip("()[]<>")
    return found if found in MARKS else plain if plain in MARKS else ""


def no_labels(labels: Iterable[str], scales: Iterable[frozenset[str]] = ()) -> tuple[list[str], list[str]]:
    """Return the labels that certainly mean no label, given the others, and those that may.

    A word such as none is uncertain if it is written like the other labels, and a rank if one of `scales` has all
    labels. A single word among numbers is uncertain too. -1 means no label among three or more numbers from 0 or 1 on,
    and may mean it next to 0 and 1.
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
    """Return whether -1 among these numbers, or words (None), means no label: certainly, or possibly."""
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
    """Return whether a word has the case of all the others: lower case, upper case, or one capital.

    A short word in capitals, such as NA, only matches others that are as short.
    """
    words = [other for other in others if to_number(other) is None]
    if not words or len(words) < len(others) or not label[:1].isalnum():
        return False
    if mark(label) == "na":
        return label.isupper() and all(other.isupper() and len(other) <= 3 for other in words)
    return any(all(form(other) for other in (label, *words)) for form in (str.islower, str.isupper, _capital))


def _capital(text: str) -> bool:
    return text[:1].isupper() and not text[1:].isupper()
