"""Frames: the special tokens around one or two texts, and the segment (type id) of every token of the sequence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tokenizers import Encoding
from tokenizers import Tokenizer as FastTokenizer

from mtft.errors import ModelError

PROBES = ("a", "1", ".", "\u4e2d")
"""Sample texts; every tokenizer has a token for at least one of them."""

MOST_SEGMENTS = 256
"""Most segments; each is stored in one byte."""


@dataclass(frozen=True)
class Frame:
    """The special tokens around the texts of one sequence.

    `ids` are the special tokens before, between and after the texts, `types` their segments, and `texts` the segment
    of each text's tokens.
    """

    ids: tuple[tuple[int, ...], ...]
    types: tuple[tuple[int, ...], ...]
    texts: tuple[int, ...]

    @property
    def size(self) -> int:
        """Number of special tokens."""
        return sum(map(len, self.ids))

    @property
    def segments(self) -> int:
        """Number of segments that the encoder needs: one more than the highest."""
        return 1 + max([*self.texts, *(kind for kinds in self.types for kind in kinds)])

    def untyped(self) -> Frame:
        """Return the frame with all tokens in segment 0, as for a tokenizer that gives no type ids."""
        return replace(self, types=tuple((0,) * len(kinds) for kinds in self.types), texts=(0,) * len(self.texts))

    def join(self, texts: Sequence[Sequence[int]]) -> tuple[list[int], list[int]]:
        """Return ids and segments of a sequence of texts, each given by its token ids."""
        ids, segments = list(self.ids[0]), list(self.types[0])
        for text, kind, behind, kinds in zip(texts, self.texts, self.ids[1:], self.types[1:], strict=True):
            ids += [*text, *behind]
            segments += [*[kind] * len(text), *kinds]
        return ids, segments


Frames = dict[int, Frame]
"""The frame of one text, and that of two."""


def bert_frames(cls: int, sep: int) -> Frames:
    """Return ``[CLS] a [SEP]`` and ``[CLS] a [SEP] b [SEP]``; the second text and its [SEP] are segment 1."""
    return {
        1: Frame(((cls,), (sep,)), ((0,), (0,)), (0,)),
        2: Frame(((cls,), (sep,), (sep,)), ((0,), (0,), (1,)), (0, 1)),
    }


def roberta_frames(cls: int, sep: int) -> Frames:
    """Return ``<s> a </s>`` and ``<s> a </s></s> b </s>``, all in segment 0."""
    return {
        1: Frame(((cls,), (sep,)), ((0,), (0,)), (0,)),
        2: Frame(((cls,), (sep, sep), (sep,)), ((0,), (0, 0), (0,)), (0, 0)),
    }


def template_frames(fast: FastTokenizer) -> Frames | None:
    """Return the frames of the tokenizer's own template; None if it adds no special tokens."""
    if fast.post_processor is None:
        return None
    text = next((text for text in PROBES if fast.encode(text, add_special_tokens=False).ids), None)
    if text is None:
        raise ModelError("the tokenizer has no token for any text")
    frames = {1: _frame(fast.encode(text), 1), 2: _frame(fast.encode(text, text), 2)}
    complete = all(frame.ids[0] and frame.ids[-1] for frame in frames.values())
    return frames if complete else None


def _frame(encoding: Encoding, count: int) -> Frame:
    """Derive the frame from an encoding of `count` texts."""
    ids: list[list[int]] = [[] for _ in range(count + 1)]
    types: list[list[int]] = [[] for _ in range(count + 1)]
    kinds: dict[int, int] = {}
    for number, kind, owner in zip(encoding.ids, encoding.type_ids, encoding.sequence_ids, strict=True):
        if owner is None:
            ids[len(kinds)].append(number)
            types[len(kinds)].append(kind)
        else:
            kinds.setdefault(owner, kind)
    if list(kinds) != list(range(count)):
        raise ModelError("the tokenizer's template does not have each text once and in order")
    if any(kind > MOST_SEGMENTS - 1 for kind in encoding.type_ids):
        raise ModelError(
            f"the tokenizer's template has segment {max(encoding.type_ids)} (allowed: 0 to {MOST_SEGMENTS - 1})"
        )
    return Frame(tuple(map(tuple, ids)), tuple(map(tuple, types)), tuple(kinds.values()))


def default_frames(fast: FastTokenizer) -> Frames:
    """Return BERT's frames if the vocabulary has [CLS] and [SEP], otherwise those of the template."""
    cls, sep = fast.token_to_id("[CLS]"), fast.token_to_id("[SEP]")
    if cls is not None and sep is not None:
        return bert_frames(cls, sep)
    found = template_frames(fast)
    if found is None:
        lacking = "[SEP]" if sep is None and cls is not None else "[CLS]"
        raise ModelError(f"the tokenizer has no token {lacking!r}, and adds no special tokens of its own")
    return {count: by_text(frame) for count, frame in found.items()}


def by_text(frame: Frame) -> Frame:
    """Return the frame with each text and the special tokens after it in a segment of its own."""
    kinds = tuple((max(index - 1, 0),) * len(ids) for index, ids in enumerate(frame.ids))
    return replace(frame, types=kinds, texts=tuple(range(len(frame.texts))))
