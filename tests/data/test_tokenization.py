"""Tokenization: transformers on the real vocabulary, a naive WordPiece on the tiny one, and cuts that are counted."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer as FastTokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.processors import RobertaProcessing

from mtft.data.readers import read_rows
from mtft.data.tokenization import Tokenizer, TokenTable, Truncation, load_tokenizer
from mtft.errors import ModelError

REPOSITORY = Path(__file__).parents[2]
TEXTS = [
    "A plain sentence .",
    "",
    "   ",
    "Don't \t stop --- now!!! (really?)",
    "caf\u00e9 na\u00efve \u00c5ngstr\u00f6m e\u0301",
    "\u6771\u4eac tower \u0645\u0631\u062d\u0628\u0627",
    "\U0001f600 \u200b zero\u00a0width \ufffd",
    "unaffable supercalifragilisticexpialidocious antidisestablishmentarianism",
    "x" * 101 + " " + "y" * 100,
    "[CLS] tricks [SEP] with [MASK] and [UNK]",
    "$1,234.56 @user #tag http://a.b/c?d=e&f",
    "UPPER lower MiXeD",
]
WORDS = ["the", "a", "of", "in", "to", "is", "it", "on", "by", "at", "he", "we"]


@pytest.fixture(scope="module")
def tokenizer(minilm: Path) -> Tokenizer:
    return load_tokenizer(minilm)


@pytest.fixture(scope="module")
def oracle(minilm: Path) -> Any:
    transformers = pytest.importorskip("transformers")
    return transformers.BertTokenizerFast.from_pretrained(minilm, local_files_only=True)


@pytest.fixture(scope="module")
def tiny(tiny_model: Path) -> Tokenizer:
    return load_tokenizer(tiny_model)


def sequences(table: TokenTable) -> list[tuple[list[int], list[int]]]:
    spans = list(zip(table.offsets[:-1], table.offsets[1:], strict=True))
    return [(table.ids[a:b].tolist(), table.segments[a:b].tolist()) for a, b in spans]


def expected(oracle: Any, row: tuple[str, ...], max_length: int) -> tuple[list[int], list[int]]:
    """Encode as transformers does; it takes an empty second text for none, hence the list of lists."""
    encoded = oracle([row] if len(row) == 2 else list(row), truncation="longest_first", max_length=max_length)
    return encoded["input_ids"][0], encoded["token_type_ids"][0]


def assert_parity(tokenizer: Tokenizer, oracle: Any, rows: Sequence[tuple[str, ...]], max_length: int = 512) -> None:
    found = sequences(tokenizer.table(rows, apart=False, max_length=max_length)[0])
    assert found == [expected(oracle, row, max_length) for row in rows]


# ---- Parity with transformers on the real vocabulary


def test_special_tokens_are_those_of_the_tokenizer_where_they_are_not_bert_s() -> None:
    """RoBERTa: <s> a </s></s> b </s>, byte pieces, and cutting leaves room for all of them."""
    pieces = ["<s>", "<pad>", "</s>", *sorted(ByteLevel.alphabet())]
    fast = FastTokenizer(BPE({piece: index for index, piece in enumerate(pieces)}, []))
    fast.pre_tokenizer = ByteLevel(add_prefix_space=False)
    fast.post_processor = RobertaProcessing(("</s>", 2), ("<s>", 0))
    tokenizer = Tokenizer(fast)
    rows = [("ab",), ("ab", "c"), ("abcdefgh", "ijklmnop")]
    table, truncation = tokenizer.table(rows, apart=False, max_length=10)
    found = [table.ids[a:b].tolist() for a, b in pairwise(table.offsets.tolist())]
    expected = [fast.encode("ab").ids, fast.encode("ab", "c").ids]
    assert found[:2] == expected
    assert (len(found[2]), found[2][0], found[2][-1], found[2].count(2)) == (10, 0, 2, 3)
    assert truncation.cut == (2,)
    assert (tokenizer.cls, tokenizer.sep) == (0, 2)
    fast.post_processor = None
    with pytest.raises(ModelError, match=r"no token '\[CLS\]', and adds no special tokens of its own"):
        Tokenizer(fast)


def test_single_texts_equal_transformers(tokenizer: Tokenizer, oracle: Any) -> None:
    assert_parity(tokenizer, oracle, [(text,) for text in TEXTS])


def test_pairs_equal_transformers(tokenizer: Tokenizer, oracle: Any) -> None:
    assert_parity(tokenizer, oracle, list(product(TEXTS, TEXTS)))


@pytest.mark.parametrize("max_length", [3, 4, 7, 8, 12])
def test_cut_texts_equal_transformers(max_length: int, tokenizer: Tokenizer, oracle: Any) -> None:
    assert_parity(tokenizer, oracle, [(text,) for text in TEXTS], max_length)


@pytest.mark.parametrize("max_length", range(4, 14))
def test_cut_pairs_equal_transformers_for_all_lengths(max_length: int, tokenizer: Tokenizer, oracle: Any) -> None:
    pairs = [(" ".join(WORDS[:a]), " ".join(WORDS[:b])) for a, b in product(range(1, 11), repeat=2)]
    assert_parity(tokenizer, oracle, pairs, max_length)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=30), min_size=1, max_size=2), st.integers(6, 40))
def test_any_text_equals_transformers(tokenizer: Tokenizer, oracle: Any, row: list[str], max_length: int) -> None:
    assert_parity(tokenizer, oracle, [tuple(row)], max_length)


@pytest.mark.real_data
def test_real_texts_equal_transformers(tokenizer: Tokenizer, oracle: Any, real_data: Path) -> None:
    reviews = [row["sentence"] for _, row in read_rows(real_data / "ids-cfimdb-dev.csv")][:50]
    assert_parity(tokenizer, oracle, [(text,) for text in reviews])
    assert_parity(tokenizer, oracle, list(zip(reviews[::2], reviews[1::2], strict=True)), 300)
    questions = [(row["sentence1"], row["sentence2"]) for _, row in read_rows(real_data / "quora-dev.csv")][:300]
    assert_parity(tokenizer, oracle, questions)


def test_sample_texts_equal_transformers(tokenizer: Tokenizer, oracle: Any) -> None:
    rows = [(row["sentence1"], row["sentence2"]) for _, row in read_rows(REPOSITORY / "mtft/sample/quora-dev.csv")]
    assert_parity(tokenizer, oracle, rows)


def test_truncation_and_padding_stored_in_the_file_are_ignored(tokenizer: Tokenizer, minilm: Path) -> None:
    stored = json.loads((minilm / "tokenizer.json").read_text(encoding="utf-8"))
    assert stored["truncation"]["max_length"] == 128
    assert stored["padding"]["strategy"] == {"Fixed": 128}
    table, truncation = tokenizer.table([("the " * 300,), ("the",)], apart=False, max_length=512)
    assert table.lengths.tolist() == [302, 3]
    assert truncation.texts_cut == 0


def test_vocab_txt_and_tokenizer_json_agree(tokenizer: Tokenizer, minilm: Path, tmp_path: Path) -> None:
    shutil.copy(minilm / "vocab.txt", tmp_path)
    plain = load_tokenizer(tmp_path)
    assert plain.encode(TEXTS) == tokenizer.encode(TEXTS)
    assert (plain.size, plain.cls, plain.sep) == (tokenizer.size, tokenizer.cls, tokenizer.sep) == (30522, 101, 102)


# ---- A naive WordPiece on the tiny vocabulary


def word_piece(text: str, vocabulary: dict[str, int]) -> list[int]:
    """Greedy longest match from the left in each word of lower-case ASCII; a word that fails is [UNK]."""
    found: list[int] = []
    for word in re.findall(r"[a-z0-9]+|[^\sa-z0-9]", text.lower()):
        pieces, begin = [], 0
        while begin < len(word):
            names = [("##" if begin else "") + word[begin:end] for end in range(len(word), begin, -1)]
            known = [name for name in names if name in vocabulary]
            if not known:
                pieces = [vocabulary["[UNK]"]]
                break
            pieces.append(vocabulary[known[0]])
            begin += len(known[0].removeprefix("##"))
        found += pieces
    return found


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text("abthe THE.,'?!-019(\t\n", max_size=20), max_size=4))
def test_ids_equal_a_naive_word_piece(tiny: Tokenizer, tiny_model: Path, texts: list[str]) -> None:
    lines = (tiny_model / "vocab.txt").read_text(encoding="utf-8").split("\n")
    vocabulary = {piece: number for number, piece in enumerate(lines) if piece}
    assert tiny.encode(texts) == [word_piece(text, vocabulary) for text in texts]


def test_sequences_are_pinned(tiny: Tokenizer) -> None:
    """[CLS] the a ##b [SEP], and with "b" after it: segments count texts, each [SEP] belongs to its text."""
    table, _ = tiny.table([("the ab",), ("The ab", "b")], apart=False, max_length=48)
    assert sequences(table) == [([2, 63, 5, 38, 3], [0] * 5), ([2, 63, 5, 38, 3, 6, 3], [0] * 5 + [1] * 2)]
    assert [each.dtype for each in (table.ids, table.segments, table.offsets)] == [np.int32, np.uint8, np.int64]
    assert (len(table), table.per_example) == (2, 1)


def test_texts_apart_are_sequences_of_their_own_and_cut_on_their_own(tiny: Tokenizer) -> None:
    table, truncation = tiny.table([("abc", "the"), ("a", "abcdef")], apart=True, max_length=5)
    assert sequences(table) == [
        ([2, 5, 38, 39, 3], [0] * 5),
        ([2, 63, 3], [0] * 3),
        ([2, 5, 3], [0] * 3),
        ([2, 5, 38, 39, 3], [0] * 5),
    ]
    assert (len(table), table.per_example) == (2, 2)
    assert truncation == Truncation(texts=4, texts_cut=1, tokens=11, tokens_cut=3)


def test_no_rows_make_an_empty_table(tiny: Tokenizer) -> None:
    for apart in (False, True):
        table, truncation = tiny.table([], apart=apart, max_length=8)
        assert len(table) == len(table.ids) == 0
        assert str(truncation) == "0 of 0 texts cut (0.0%; 0.0% of their tokens)"


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(*[st.text("abc ", max_size=25)] * 2), max_size=6), st.integers(5, 30), st.booleans())
def test_what_is_cut_is_counted_and_never_more_than_needed(
    tiny: Tokenizer, rows: list[tuple[str, str]], max_length: int, apart: bool
) -> None:
    table, truncation = tiny.table(rows, apart=apart, max_length=max_length)
    whole, nothing = tiny.table(rows, apart=apart, max_length=1000)
    assert nothing.texts_cut == nothing.tokens_cut == 0
    assert np.array_equal(table.lengths, np.minimum(whole.lengths, max_length))
    assert truncation.texts == len(whole.lengths)
    assert truncation.texts_cut == (whole.lengths > max_length).sum()
    assert truncation.tokens_cut == whole.lengths.sum() - table.lengths.sum()
    assert truncation.tokens == nothing.tokens == sum(map(len, tiny.encode([text for row in rows for text in row])))


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 30), st.integers(1, 30), st.integers(5, 40))
def test_the_longer_text_is_cut_first_and_both_keep_their_beginnings(
    tiny: Tokenizer, a: int, b: int, max_length: int
) -> None:
    table, _ = tiny.table([("a" * a, "b" * b)], apart=False, max_length=max_length)
    ((ids, segments),) = sequences(table)
    first, second = segments.count(0) - 2, segments.count(1) - 1
    assert ids[1] == tiny.encode(["a"])[0][0]
    assert ids[first + 2] == tiny.encode(["b"])[0][0]
    if first < a:
        assert first >= second - 1
    if second < b:
        assert second >= first - 1


# ---- Digest and errors


def test_the_digest_sees_what_decides_ids_but_not_truncation(
    minilm: Path, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    stored = json.loads((minilm / "tokenizer.json").read_text(encoding="utf-8"))
    (tmp_path / "tokenizer.json").write_text(json.dumps(stored | {"truncation": None, "padding": None}))
    assert load_tokenizer(tmp_path).digest() == tokenizer.digest()
    stored["normalizer"]["lowercase"] = False
    (tmp_path / "tokenizer.json").write_text(json.dumps(stored))
    assert load_tokenizer(tmp_path).digest() != tokenizer.digest()


def test_lower_case_is_a_setting_of_the_directory(tiny_model: Path, tmp_path: Path) -> None:
    shutil.copy(tiny_model / "vocab.txt", tmp_path)
    (tmp_path / "tokenizer_config.json").write_text('{"do_lower_case": false}', encoding="utf-8")
    assert load_tokenizer(tmp_path).encode(["a A"]) == [[5, 1]]
    (tmp_path / "tokenizer_config.json").write_text("{}", encoding="utf-8")
    assert load_tokenizer(tmp_path).encode(["a A"]) == [[5, 5]]


@pytest.mark.parametrize("accents", [True, False, None])
@pytest.mark.parametrize("characters", [True, False])
@pytest.mark.parametrize("lower", [True, False])
def test_what_is_done_to_texts_first_equals_transformers(
    accents: bool | None, characters: bool, lower: bool, tmp_path: Path
) -> None:
    transformers = pytest.importorskip("transformers")
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "ä", "a", "Ä", "A", "中", "中文", "##文"]
    (tmp_path / "vocab.txt").write_text("\n".join(pieces), encoding="utf-8")
    rules = {"do_lower_case": lower, "strip_accents": accents, "tokenize_chinese_chars": characters}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(rules), encoding="utf-8")
    theirs = transformers.BertTokenizerFast(vocab=str(tmp_path / "vocab.txt"), **rules)
    texts = ["ä a Ä A", "中文 a"]
    assert load_tokenizer(tmp_path).encode(texts) == [theirs.encode(text, add_special_tokens=False) for text in texts]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "neither tokenizer.json nor vocab.txt found"),
        ({"tokenizer.json": "{}"}, "tokenizer.json: not a tokenizer file"),
        ({"tokenizer.json": "nonsense", "vocab.txt": "[CLS]\n"}, "tokenizer.json: not a tokenizer file"),
        ({"vocab.txt": "[PAD]\n[UNK]\n[SEP]\na\n"}, "vocab.txt: not a tokenizer file: .*cls_token"),
        ({"vocab.txt": "[UNK]\n[CLS]\n[SEP]\n", "tokenizer_config.json": "[]"}, "tokenizer_config.json: not a JSON"),
        ({"vocab.txt": "[UNK]\n[CLS]\n[SEP]\n", "tokenizer_config.json": "{"}, "tokenizer_config.json: not a JSON"),
    ],
)
def test_a_directory_without_a_tokenizer_is_named(files: dict[str, str], message: str, tmp_path: Path) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(ModelError, match=re.escape(str(tmp_path)) + ".*" + message):
        load_tokenizer(tmp_path)


def test_a_tokenizer_without_special_tokens_is_refused(tmp_path: Path) -> None:
    model: dict[str, Any] = {"type": "WordPiece", "unk_token": "[UNK]", "vocab": {"[UNK]": 0, "[SEP]": 1}}
    model |= {"continuing_subword_prefix": "##", "max_input_chars_per_word": 100}
    (tmp_path / "tokenizer.json").write_text(json.dumps({"version": "1.0", "model": model}), encoding="utf-8")
    with pytest.raises(ModelError, match=r"the tokenizer has no token '\[CLS\]'"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize("apart", [False, True])
def test_blocks_of_rows_make_the_same_table(apart: bool, tiny: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [("abc " * count, "the " * (5 - count % 4)) for count in range(23)]
    table, truncation = tiny.table(rows, apart=apart, max_length=20)
    for size in (1, 7, 23):
        monkeypatch.setattr("mtft.data.tokenization.BLOCK", size)
        found, cut = tiny.table(iter(rows), apart=apart, max_length=20)
        assert sequences(found) == sequences(table)
        assert (found.per_example, cut, cut.cut) == (table.per_example, truncation, truncation.cut)
        assert [array.dtype for array in (found.ids, found.segments, found.offsets)] == [np.int32, np.uint8, np.int64]


def test_lengths_are_computed_once(tiny: Tokenizer) -> None:
    table, _ = tiny.table([("a b", "the"), ("abc", "a")], apart=True, max_length=20)
    assert table.lengths is table.lengths
    assert table.example_lengths is table.example_lengths
    assert table.example_lengths.tolist() == [sum(pair) for pair in table.lengths.reshape(-1, 2).tolist()]
