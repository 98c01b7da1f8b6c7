"""Find which of two labels means no: the one that negates the other, or by a list of words."""

from __future__ import annotations

import re

from mtft.data.labels import to_number

_NEGATIONS = "not non no un in ir im il dis nicht kein keine pas sin ohne without anti"
NEGATIONS = tuple(_NEGATIONS.split())
"""Words and prefixes that negate the word after them."""

_STRONG = (
    "no not non none nein nicht kein keine nao não ні нет не nie nej nee ne false falsch faux falso n f never without "
    "absent いいえ 否 不 无 아니오 لا"
)
STRONG = frozenset(_STRONG.split())
"""Words for no, and their short forms."""

_WEAK = (
    "negative neg bad low lower lowest less small minor ham unacceptable contradiction refuted refutes rejected reject "
    "disagree disagrees against fail failed fails incorrect wrong invalid benign healthy control negativ schlecht "
    "niedrig gering negatif négatif mauvais bas negativo malo bajo unrelated irrelevant different dissimilar dislike "
    "down loss closed inactive easy"
)
WEAK = frozenset(_WEAK.split())
"""Words for the smaller or worse of two."""

_FAINT = "off other others normal neutral safe clean human real regular ordinary rest background"
FAINT = frozenset(_FAINT.split())
"""Words for the normal case, which a classifier does not look for."""

_YESES = (
    "yes true y t j s o positive pos good high higher highest more spam toxic acceptable entailment supported supports "
    "accepted accept agree agrees favor favour pass passed correct right valid malignant ja oui si sí sim да tak "
    "positiv gut hoch positif bon haut positivo bueno alto hate hateful offensive abusive sarcastic ironic fake "
    "machine ai related relevant similar same duplicate paraphrase like up win open active hard はい 是 네 نعم"
)
YESES = frozenset(_YESES.split())
"""Words for yes, for the greater or better of two, and for the case that a classifier looks for."""


LETTERS = ("ny", "yn", "nj", "jn", "ft", "tf", "fv", "vf", "ns", "sn", "no", "on")
"""Pairs of letters for no and yes, or yes and no; they count only if both labels of a pair occur."""


def no_first(names: tuple[str, str]) -> tuple[tuple[str, str], bool]:
    """Return two labels, the one for no first, and whether there is evidence for this order."""
    first, second = names
    numbers = to_number(first), to_number(second)
    if numbers[0] is not None and numbers[1] is not None:
        return (names if numbers[0] < numbers[1] else names[::-1]), True
    if _negates(first, second):
        return names, True
    if _negates(second, first):
        return names[::-1], True
    one, two = (_no(label, other) for label, other in ((first, second), (second, first)))
    return (names[::-1] if two > one else names), one != two


def _negates(label: str, other: str) -> bool:
    """Return whether a label is the other one with a negating word or prefix before it."""
    plain, base = (re.sub(r"[\s_-]+", " ", text.casefold()).strip() for text in (label, other))
    return any(plain == f"{negation}{gap}{base}" for negation in NEGATIONS for gap in ("", " "))


def _no(label: str, other: str) -> int:
    """Return how strongly a label means no, from -1 (yes) to 4, by the words that the other label lacks."""
    words, others = (re.findall(r"[^\W_]+", text.casefold()) for text in (label, other))
    own = [word for word in words if word not in others] or words
    if len(label) == 1 and f"{label}{other}".casefold() not in LETTERS:
        return 0
    if any(word in STRONG for word in own) or any(word in ("not", "non", "no") for word in own[:1]):
        return 4
    if any(word in WEAK for word in own):
        return 3
    if any(word in FAINT for word in own):
        return 2
    if any(word in YESES for word in own):
        return -1
    return 1 if any(word.startswith(("non", "anti")) for word in own) else 0
