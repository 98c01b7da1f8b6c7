"""Words in names and cells that name a split."""

from __future__ import annotations

import re

SPLITS = {
    "train": (
        "train",
        "training",
        "trn",
        "trainset",
        "trainingset",
        "traindata",
        "trainingdata",
        "tr",
        "entrenamiento",
        "entraînement",
        "entrainement",
        "apprentissage",
        "addestramento",
        "treino",
        "treinamento",
        "eğitim",
        "обучение",
        "训练",
        "训练集",
        "訓練",
        "学習",
        "학습",
        "훈련",
    ),
    "dev": (
        "dev",
        "devel",
        "development",
        "devset",
        "devdata",
        "developmentset",
        "val",
        "valid",
        "validation",
        "validate",
        "valset",
        "validset",
        "validationset",
        "validationdata",
        "eval",
        "evaluation",
        "evaluate",
        "evalset",
        "evaluationset",
        "evaldata",
        "tune",
        "tuning",
        "va",
        "entwicklung",
        "validierung",
        "validación",
        "validacion",
        "validação",
        "validacao",
        "validazione",
        "desarrollo",
        "développement",
        "sviluppo",
        "desenvolvimento",
        "валидация",
        "验证",
        "验证集",
        "検証",
        "검증",
    ),
    "test": (
        "test",
        "tests",
        "tst",
        "testing",
        "testset",
        "testingset",
        "testdata",
        "devtest",
        "holdout",
        "heldout",
        "holdoutset",
        "heldoutset",
        "blind",
        "unseen",
        "gold",
        "goldset",
        "goldstandard",
        "te",
        "benchmark",
        "prueba",
        "pruebas",
        "teste",
        "prova",
        "тест",
        "测试",
        "测试集",
        "テスト",
        "테스트",
    ),
}
"""Splits, and the words for each; "held out" is treated as two words."""

WORDS = {word: split for split, words in SPLITS.items() for word in words}

SHORT = ("tr", "te", "va")
"""Words that name a split in a column, and in file names only if files of several splits have them."""

FILLERS = (
    "public",
    "private",
    "set",
    "data",
    "dataset",
    "split",
    "file",
    "part",
    "examples",
    "rows",
    "sample",
    "samples",
    "standard",
)
"""Words without meaning next to a word for a split."""

PIECES = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+|[^A-Za-z0-9]+")
"""Pieces of a name: words (also in camel case), numbers, and the separators between them."""


def pieces_of(name: str) -> list[str]:
    """Split a name into words, numbers and separators; joined, they give the name."""
    found: list[str] = []
    for piece in re.split(r"((?:\W|_)+)", name):
        if piece.casefold() in WORDS or not piece.isascii():
            found.append(piece)
        else:
            found += PIECES.findall(piece)
    return found


def split_of(word: str) -> str:
    """Return the split that a word names, "" if none; numbers at its end are ignored, as in test2016."""
    return WORDS.get(re.sub(r"[0-9]+$", "", word.casefold()), "")


def split_of_value(value: str) -> str:
    """Return the split that a cell names, such as "train", "Test set" or "held-out"; "" if none."""
    words = [word for word in re.split(r"[\W\d_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", value).casefold()) if word]
    rest = [word for word in words if word not in FILLERS] or words
    return split_of("".join(rest)) or (split_of(rest[0]) if len(rest) == 1 else "")
