"""Frames around texts: pinned, and read off a tokenizer's template."""

from __future__ import annotations

import pytest
from tokenizers import Tokenizer as FastTokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from mtft.data.frame import Frame, bert_frames, by_text, default_frames, roberta_frames, template_frames
from mtft.errors import ModelError


def fast(single: str | None = None, pair: str | None = None) -> FastTokenizer:
    """A tokenizer whose texts are all unknown, with a template."""
    found = FastTokenizer(WordLevel({"[CLS]": 0, "<s>": 1, "</s>": 2, "[UNK]": 3}, unk_token="[UNK]"))
    found.pre_tokenizer = Whitespace()
    if single:
        found.post_processor = TemplateProcessing(single, pair, [("<s>", 1), ("</s>", 2)])
    return found


def test_frames_join_texts() -> None:
    frames = bert_frames(2, 3)
    assert frames[1].join([[7, 8]]) == ([2, 7, 8, 3], [0, 0, 0, 0])
    assert frames[2].join([[7], []]) == ([2, 7, 3, 3], [0, 0, 0, 1])
    assert (frames[1].size, frames[2].size, frames[1].segments, frames[2].segments) == (2, 3, 1, 2)
    assert roberta_frames(0, 2)[2].join([[7], [8, 9]]) == ([0, 7, 2, 2, 8, 9, 2], [0] * 7)


def test_a_frame_without_types_is_segment_0_and_by_text_each_its_own() -> None:
    pair = bert_frames(2, 3)[2]
    assert pair.untyped() == Frame(pair.ids, ((0,), (0,), (0,)), (0, 0))
    assert by_text(pair.untyped()) == pair
    assert by_text(roberta_frames(0, 2)[2]).types == ((0,), (0, 0), (1,))


def test_the_template_gives_ids_and_segments() -> None:
    found = template_frames(fast("<s>:3 $A:2 </s>:1", "<s>:0 $A:1 </s>:0 </s>:5 $B:4 </s>:4"))
    assert found == {
        1: Frame(((1,), (2,)), ((3,), (1,)), (2,)),
        2: Frame(((1,), (2, 2), (2,)), ((0,), (0, 5), (4,)), (1, 4)),
    }
    assert found[2].segments == 6


@pytest.mark.parametrize(
    ("single", "pair"), [(None, None), ("$A", "$A $B"), ("<s> $A", "<s> $A $B"), ("$A", "$A </s> $B")]
)
def test_a_template_without_tokens_at_both_ends_gives_none(single: str | None, pair: str | None) -> None:
    assert template_frames(fast(single, pair)) is None


def test_texts_out_of_order_are_refused() -> None:
    with pytest.raises(ModelError, match="does not have each text once and in order"):
        template_frames(fast("<s> $A </s>", "<s> $B </s> $A </s>"))


def test_a_segment_that_does_not_fit_a_byte_is_refused() -> None:
    with pytest.raises(ModelError, match=r"has segment 256 \(allowed: 0 to 255\)"):
        template_frames(fast("<s>:256 $A </s>", "<s> $A </s> $B </s>"))


def test_the_default_is_bert_s_where_its_tokens_are_there() -> None:
    with pytest.raises(ModelError, match=r"no token '\[SEP\]', and adds no special tokens of its own"):
        default_frames(fast())
    assert default_frames(fast("<s> $A </s>", "<s> $A </s> $B </s>"))[2].types == ((0,), (0,), (1,))
    both = FastTokenizer(WordLevel({"[CLS]": 5, "[SEP]": 6}))
    assert default_frames(both) == bert_frames(5, 6)
