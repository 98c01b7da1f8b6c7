"""Texts to token arrays, with the library `tokenizers`; truncation is ours, so that it can be reported."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import BertWordPieceTokenizer
from tokenizers import Tokenizer as FastTokenizer

from mtft.errors import ModelError
from mtft.io.files import read_text

Ints = NDArray[np.int64]
"""Row numbers, lengths or offsets."""
LARGEST = 100_000_000
"""Bytes of the largest tokenizer file."""


@dataclass(frozen=True)
class TokenTable:
    """The sequences of one dataset, end to end.

    `ids` [N] and `segments` [N] hold tokens, `offsets` [S+1] where sequences begin. Example i owns the
    `per_example` (1, or 2 when texts are encoded apart) sequences from i * per_example on. If a frozen encoder has
    seen them, `features` [S + N, H] hold, sequence by sequence, the pooled vector and then each token's hidden state.
    """

    ids: NDArray[np.int32]
    segments: NDArray[np.uint8]
    offsets: Ints
    per_example: int
    features: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return (len(self.offsets) - 1) // self.per_example

    @property
    def lengths(self) -> Ints:
        """Tokens of each sequence [S]."""
        return np.diff(self.offsets)

    @property
    def example_lengths(self) -> Ints:
        """Tokens of each example [n]."""
        total: Ints = self.lengths.reshape(-1, self.per_example).sum(axis=1)
        return total


@dataclass(frozen=True)
class Truncation:
    """How much of a dataset the length limit cut; `cut` numbers the sequences of the table that it cut."""

    texts: int
    texts_cut: int
    tokens: int
    tokens_cut: int
    cut: tuple[int, ...] = field(default=(), repr=False, compare=False)

    def __str__(self) -> str:
        texts, tokens = self.texts_cut / max(self.texts, 1), self.tokens_cut / max(self.tokens, 1)
        return f"{self.texts_cut} of {self.texts} texts cut ({texts:.1%}; {tokens:.1%} of their tokens)"


class Tokenizer:
    """Word pieces as the pretrained model saw them; special tokens are added here, not by the library."""

    def __init__(self, fast: FastTokenizer) -> None:
        self._fast = fast
        self._fast.no_truncation()
        self._fast.no_padding()
        self._frames = {1: self._frame("a", None), 2: self._frame("a", "a")}
        self.cls, self.sep = self._frames[1][0][0], self._frames[1][-1][-1]

    def _frame(self, text: str, pair: str | None) -> list[list[int]]:
        """Return the special ids before, between and behind one or two texts.

        BERT's, where there are [CLS] and [SEP]; otherwise those that the tokenizer itself adds, as RoBERTa's does.
        """
        cls, sep = self._fast.token_to_id("[CLS]"), self._fast.token_to_id("[SEP]")
        if cls is not None and sep is not None:
            return [[cls], [sep]] if pair is None else [[cls], [sep], [sep]]
        frame: list[list[int]] = [[], []] if pair is None else [[], [], []]
        encoding, place = self._fast.encode(text, pair), 0
        for number, owner in zip(encoding.ids, encoding.sequence_ids, strict=True):
            if owner is None:
                frame[place].append(number)
            else:
                place = owner + 1
        if not all(frame):
            raise ModelError(f"the tokenizer has no token {'[SEP]' if sep is None and cls is not None else '[CLS]'!r}, "
                             "and adds no special tokens of its own")  # fmt: skip
        return frame

    @property
    def size(self) -> int:
        """One more than the highest id."""
        return max(self._fast.get_vocab(with_added_tokens=True).values()) + 1

    def digest(self) -> str:
        """Return the sha256 of what decides ids: the whole tokenizer but its truncation and padding."""
        settings = json.loads(self._fast.to_str())
        text = json.dumps({**settings, "truncation": None, "padding": None}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of each text, without special tokens; ModelError if the tokenizer has none for it."""
        try:
            return [encoding.ids for encoding in self._fast.encode_batch_fast(list(texts), add_special_tokens=False)]
        except Exception as error:  # the library raises bare Exception, as for a vocabulary without [UNK]
            raise ModelError(f"the tokenizer cannot read a text: {error}") from None

    def table(self, rows: Sequence[tuple[str, ...]], *, apart: bool, max_length: int) -> tuple[TokenTable, Truncation]:
        """Tokenize rows of texts, joined in one sequence each or, with `apart`, one sequence per text.

        Sequences longer than `max_length` tokens, special ones included, are cut: the longer text first.
        """
        widths = [len(row) for row in rows]
        pieces = iter(self.encode([text for row in rows for text in row]))
        groups = [[next(pieces) for _ in range(width)] for width in widths]
        sequences = [[piece] for group in groups for piece in group] if apart else groups
        special = {texts: sum(map(len, frame)) for texts, frame in self._frames.items()}
        cut = [_fit(group, max_length - special[len(group)]) for group in sequences]
        before = [sum(map(len, group)) for group in sequences]
        after = [sum(map(len, group)) for group in cut]
        truncation = Truncation(
            texts=len(sequences),
            texts_cut=sum(a < b for a, b in zip(after, before, strict=True)),
            tokens=sum(before),
            tokens_cut=sum(before) - sum(after),
            cut=tuple(place for place, (a, b) in enumerate(zip(after, before, strict=True)) if a < b),
        )
        return self._join(cut, per_example=max(widths, default=1) if apart else 1), truncation

    def _join(self, sequences: list[list[list[int]]], per_example: int) -> TokenTable:
        ids: list[int] = []
        segments: list[int] = []
        offsets = [0]
        for group in sequences:
            first, *others = self._frames[len(group)]
            ids += first
            segments += [0] * len(first)
            for segment, (piece, behind) in enumerate(zip(group, others, strict=True)):
                ids += piece
                ids += behind
                segments += [segment] * (len(piece) + len(behind))
            offsets.append(len(ids))
        return TokenTable(
            np.asarray(ids, np.int32), np.asarray(segments, np.uint8), np.asarray(offsets, np.int64), per_example
        )


def _fit(group: list[list[int]], room: int) -> list[list[int]]:
    """Cut texts to `room` tokens together, shortening the longer one first, as the library does it."""
    if sum(map(len, group)) <= room:
        return group
    if len(group) == 1:
        return [group[0][:room]]
    first, second = map(len, group)
    short = min(first, second, room // 2)
    first, second = (room - short, short) if first > second else (short, room - short)
    return [group[0][:first], group[1][:second]]


def load_tokenizer(directory: Path) -> Tokenizer:
    """Load ``tokenizer.json``, or build WordPiece from ``vocab.txt``; ModelError names what is wrong."""
    full, vocabulary = directory / "tokenizer.json", directory / "vocab.txt"
    try:
        for path in (full, vocabulary):
            if path.exists() and (not path.is_file() or path.stat().st_size > LARGEST):
                raise ModelError(f"{path.name} is not a file of at most {LARGEST:,} bytes")
        if full.exists():
            return Tokenizer(FastTokenizer.from_file(str(full)))
        if vocabulary.exists():
            rules = _normalisation(directory / "tokenizer_config.json")
            return Tokenizer(BertWordPieceTokenizer(str(vocabulary), **rules)._tokenizer)
    except ModelError as error:
        raise ModelError(f"{directory}: {error}") from None
    except Exception as error:  # the library raises bare Exception for any malformed file
        raise ModelError(f"{full if full.exists() else vocabulary}: not a tokenizer file: {error}") from None
    raise ModelError(f"{directory}: neither tokenizer.json nor vocab.txt found")


def _normalisation(path: Path) -> dict[str, bool | None]:
    """Return what a BERT tokenizer does to texts first: BERT's own rules where the file, or a key in it, is missing."""
    try:
        found = json.loads(read_text(path, LARGEST)) if path.exists() else {}
        return {
            "lowercase": bool(found.get("do_lower_case", True)),
            "strip_accents": found.get("strip_accents"),
            "handle_chinese_chars": bool(found.get("tokenize_chinese_chars", True)),
        }
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise ModelError(f"{path}: not a JSON object: {error}") from None
