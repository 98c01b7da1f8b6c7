"""Turn texts into token arrays with the library `tokenizers`; mtft truncates by itself to report what is cut."""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer as FastTokenizer

from mtft.data.frame import Frames, default_frames
from mtft.data.pretrained_tokenizer import read_tokenizer
from mtft.errors import ModelError
from mtft.runtime.notices import Notice

Ints = NDArray[np.int64]
"""Row numbers, lengths or offsets."""

BLOCK = 10_000
"""Rows that are tokenized at once."""


@dataclass(frozen=True)
class TokenTable:
    """The sequences of one dataset, end to end.

    `ids` [N] and `segments` [N] hold tokens, `offsets` [S+1] the start of each sequence. Example i has the
    `per_example` sequences from i * per_example (1, or 2 if texts are encoded apart). After a frozen encoder has run,
    `features` [S + N, H] hold, sequence by sequence, the pooled vector and then each token's hidden state.
    """

    ids: NDArray[np.int32]
    segments: NDArray[np.uint8]
    offsets: Ints
    per_example: int
    features: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return (len(self.offsets) - 1) // self.per_example

    @cached_property
    def lengths(self) -> Ints:
        """Tokens of each sequence [S]."""
        return np.diff(self.offsets)

    @cached_property
    def example_lengths(self) -> Ints:
        """Tokens of each example [n]."""
        if self.per_example == 1:
            return self.lengths
        total: Ints = self.lengths.reshape(-1, self.per_example).sum(axis=1)
        return total


@dataclass(frozen=True)
class Truncation:
    """How much of a dataset the length limit cut; `cut` holds the indices of the cut sequences."""

    texts: int
    texts_cut: int
    tokens: int
    tokens_cut: int
    cut: tuple[int, ...] = field(default=(), repr=False, compare=False)

    def __str__(self) -> str:
        texts, tokens = self.texts_cut / max(self.texts, 1), self.tokens_cut / max(self.tokens, 1)
        return f"{self.texts_cut} of {self.texts} texts cut ({texts:.1%}; {tokens:.1%} of their tokens)"


class Tokenizer:
    """The pretrained model's tokenizer; special tokens are added here, not by the library.

    `notes` list what the tokenizer's files leave open or contradict.
    """

    def __init__(self, fast: FastTokenizer, frames: Frames | None = None, notes: tuple[Notice, ...] = ()) -> None:
        self._fast = fast
        self._fast.no_truncation()
        self._fast.no_padding()
        self._frames = frames or default_frames(fast)
        self.notes = notes
        self.cls, self.sep = self._frames[1].ids[0][0], self._frames[1].ids[-1][-1]

    def segments(self, texts: int) -> int:
        """Return the number of segments in a sequence of one or two texts."""
        return self._frames[texts].segments

    @property
    def size(self) -> int:
        """One more than the highest id."""
        return max(self._fast.get_vocab(with_added_tokens=True).values()) + 1

    def digest(self) -> str:
        """Return the sha256 of everything that determines ids: the tokenizer without its truncation and padding.

        Frames are included if they differ from those of the tokenizer's own template.
        """
        settings = json.loads(self._fast.to_str())
        text = json.dumps({**settings, "truncation": None, "padding": None}, sort_keys=True)
        if self._frames != self._own_frames():
            text += json.dumps([asdict(frame) for frame in self._frames.values()])
        return hashlib.sha256(text.encode()).hexdigest()

    def _own_frames(self) -> Frames | None:
        try:
            return default_frames(self._fast)
        except ModelError:
            return None

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of each text, without special tokens; ModelError if the tokenizer cannot encode a text."""
        try:
            return [encoding.ids for encoding in self._fast.encode_batch_fast(list(texts), add_special_tokens=False)]
        except Exception as error:  # the library raises bare Exception, for example for a vocabulary without [UNK]
            raise ModelError(f"the tokenizer cannot read a text: {error}") from None

    def table(self, rows: Iterable[tuple[str, ...]], *, apart: bool, max_length: int) -> tuple[TokenTable, Truncation]:
        """Tokenize rows of texts into one sequence per row or, with `apart`, one sequence per text.

        Sequences longer than `max_length` tokens, special tokens included, are cut, the longer text first. Rows are
        tokenized in blocks, so that only the tokens are kept of them.
        """
        made, waiting, width = _Sequences(), iter(rows), 0
        while block := list(islice(waiting, BLOCK)):
            width = max(width, *map(len, block))
            pieces = iter(self.encode([text for row in block for text in row]))
            groups = [[next(pieces) for _ in row] for row in block]
            for group in [[piece] for both in groups for piece in both] if apart else groups:
                frame = self._frames[len(group)]
                cut = _fit(group, max_length - frame.size)
                made.add(*frame.join(cut), sum(map(len, group)), sum(map(len, cut)))
        return made.table(per_example=max(width, 1) if apart else 1), made.truncation()


class _Sequences:
    """Sequences laid end to end, and how much of them was cut."""

    def __init__(self) -> None:
        self._ids, self._segments, self._offsets = array("i"), array("B"), array("q", [0])
        self._tokens = self._tokens_cut = 0
        self._cut: list[int] = []

    def add(self, ids: list[int], segments: list[int], before: int, after: int) -> None:
        """Add one sequence, whose texts had so many tokens before they were cut, and so many after."""
        if after < before:
            self._cut.append(len(self._offsets) - 1)
        self._ids.extend(ids)
        self._segments.extend(segments)
        self._offsets.append(len(self._ids))
        self._tokens, self._tokens_cut = self._tokens + before, self._tokens_cut + before - after

    def table(self, per_example: int) -> TokenTable:
        """Return the sequences."""
        ids, segments, offsets = map(np.asarray, (self._ids, self._segments, self._offsets))  # without a copy
        return TokenTable(ids, segments, offsets, per_example)

    def truncation(self) -> Truncation:
        """Return how much was cut."""
        texts = len(self._offsets) - 1
        return Truncation(texts, len(self._cut), self._tokens, self._tokens_cut, tuple(self._cut))


def _fit(group: list[list[int]], room: int) -> list[list[int]]:
    """Cut texts to `room` tokens in total, the longer text first, as the library does."""
    if sum(map(len, group)) <= room:
        return group
    if len(group) == 1:
        return [group[0][:room]]
    first, second = map(len, group)
    short = min(first, second, room // 2)
    first, second = (room - short, short) if first > second else (short, room - short)
    return [group[0][:first], group[1][:second]]


def load_tokenizer(directory: Path) -> Tokenizer:
    """Load a directory's tokenizer as transformers does; ModelError names a fault or an unsupported setting."""
    found = read_tokenizer(directory)
    try:
        return Tokenizer(found.fast, found.frames, found.notes)
    except ModelError as error:
        raise ModelError(f"{directory}: {error}") from None
