"""Find which of two labels means no: the one that negates the other, or by a list of words."""

from __future__ import annotations

import re
import unicodedata

from mtft.data.labels import to_number

_NEGATIONS = (
    "not non no un in ir im il dis nicht kein keine nie pas sin ohne without anti niet geen on inte icke ikke ej ingen "
    "epä ei nem não nao sem senza bez ne не нет без не δεν μη όχι değil yok bukan tidak không لا غير ليس לא בלי "
    "不 不是 没 没有 无 非 未 否 無 안 비 무 불 아닌 ไม่ ไม่ใช่ नहीं ना"
)
NEGATIONS = tuple(dict.fromkeys(_NEGATIONS.split()))
"""Words and prefixes that negate the word after them."""

_STRONG = (
    "no not non none nein nicht kein keine nao não ні нет не nie nej nei nee ne niet geen inte icke ikke ej ingen ei "
    "eivät nem nu nē όχι μη δεν hayır hayir değil degil yok لا ليس כלא לא bukan tidak không hapana nahi nahin "
    "नहीं ना না নয় இல்லை కాదు ไม่ ไม่ใช่ نه خیر نہیں 不 不是 没有 否 无 無 非 いいえ ない 아니오 아니요 아님 아니다 "
    "false falsch faux falso falsz falešné ложь ложно yanlış n f never without absent sin ohne sans sem senza bez без"
)
STRONG = frozenset(_STRONG.split())
"""Words for no, and their short forms."""

_WEAK = (
    "negative neg bad low lower lowest less small minor ham unacceptable contradiction refuted refutes rejected reject "
    "disagree disagrees against fail failed fails incorrect wrong invalid benign healthy control negativ schlecht "
    "niedrig gering negatif négatif mauvais bas negativo malo bajo unrelated irrelevant different dissimilar dislike "
    "down loss closed inactive easy schlechter mal mala ruim плохо плохой отрицательный негативный kötü olumsuz "
    "负面 消极 差 否定的 부정 ✗ ✘ ✕ ❌ 👎"
)
WEAK = frozenset(_WEAK.split())
"""Words for the smaller or worse of two."""

_FAINT = (
    "off other others normal neutral safe clean human real genuine legit legitimate authentic truthful ok okay regular "
    "ordinary rest background"
)
FAINT = frozenset(_FAINT.split())
"""Words for the normal case, which a classifier does not look for."""

_YESES = (
    "yes true y t j s o positive pos good high higher highest more spam toxic acceptable entailment supported supports "
    "accepted accept agree agrees favor favour pass passed correct right valid malignant ja oui si sí sim да tak "
    "positiv gut hoch positif bon haut positivo bueno alto hate hateful offensive abusive sarcastic ironic fake "
    "machine ai related relevant similar same duplicate paraphrase like up win open active hard ano áno igen evet "
    "deceptive phishing fraud sexist racist kyllä jah jā taip ναι да так כן نعم بله ہاں हाँ হ্যাঁ ஆம் ใช่ ya có vâng "
    "はい 是 有 对 네 예 doğru wahr vrai vero verdade истина правда + ✓ ✔ ✅ 👍"
)
YESES = frozenset(_YESES.split())
"""Words for yes, for the greater or better of two, and for the case that a classifier looks for."""


LETTERS = ("ny", "yn", "nj", "jn", "ft", "tf", "fv", "vf", "ns", "sn", "no", "on", "np", "pn", "+-", "-+")
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
    if label.isupper() and label == f"N{other}" and len(other) > 1:  # an abbreviation, such as NHS beside HS
        return True
    plain, base = (re.sub(r"[\s_-]+", " ", _lower(text)).strip() for text in (label, other))
    return any(plain == f"{negation}{gap}{base}" for negation in NEGATIONS for gap in ("", " "))


def _lower(text: str) -> str:
    """Return a text in lower case, composed, without the dot that lower case leaves behind in Turkish."""
    return unicodedata.normalize("NFC", text.casefold().replace("i\u0307", "i"))


def _words(text: str) -> list[str]:
    """Return the words of a label; marks on letters belong to them. A label of signs alone is one word."""
    letters = "".join(sign if unicodedata.category(sign)[0] in "LMN" else " " for sign in _lower(text))
    return letters.split() or [text.strip()]


def _no(label: str, other: str) -> int:
    """Return how strongly a label means no, from -1 (yes) to 4, by the words that the other label lacks."""
    words, others = _words(label), _words(other)
    own = [word for word in words if word not in others] or words
    if len(label) == 1 and label.isascii() and f"{label}{other}".casefold() not in LETTERS:
        return 0
    if any(word in STRONG for word in own) or own[0] in ("-", "−", "–"):
        return 4
    if any(word in WEAK for word in own):
        return 3
    if any(word in FAINT for word in own):
        return 2
    if any(word in YESES for word in own):
        return -1
    return 1 if any(word.startswith(("non", "anti")) for word in own) else 0
