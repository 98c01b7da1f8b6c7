"""Words in column names, and what they mean for the values."""

from __future__ import annotations

LABEL_WORDS = {
    "label",
    "labels",
    "class",
    "classes",
    "category",
    "target",
    "sentiment",
    "polarity",
    "rating",
    "ratings",
    "stars",
    "score",
    "scores",
    "similarity",
    "relatedness",
    "grade",
    "topic",
    "intent",
    "emotion",
    "gold",
    "duplicate",
    "paraphrase",
    "toxic",
    "toxicity",
    "stance",
    "entailment",
    "quality",
    "outcome",
    "verdict",
    "y",
    "acceptable",
    "difficulty",
    "spam",
    "mood",
}
"""Words in the name of a column of labels."""

CLASS_WORDS = {
    "label",
    "labels",
    "class",
    "classes",
    "category",
    "categories",
    "target",
    "targets",
    "intent",
    "intents",
    "topic",
    "emotion",
    "stance",
    "type",
    "tag",
}
"""Words in the name of a column whose whole numbers are classes."""

AMOUNT_WORDS = {
    "score",
    "scores",
    "similarity",
    "relatedness",
    "rating",
    "ratings",
    "stars",
    "grade",
    "level",
    "difficulty",
    "severity",
    "rank",
    "degree",
    "quality",
    "age",
    "price",
    "count",
    "length",
    "year",
    "time",
    "amount",
    "distance",
}
"""Words in the name of a column whose numbers are amounts or ranks."""

BOTH_WORDS = {"answer", "answers"}
"""Names of columns that hold texts in some files and classes in others."""
