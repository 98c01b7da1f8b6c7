"""The tokenizer of a model directory, against transformers on directories drawn at random, and what is refused."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from model_directories import TEXTS, directories, other_directories, write
from soak import cases, counted
from tokenizers import Tokenizer as FastTokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel

from mtft.data.tokenization import Tokenizer, load_tokenizer
from mtft.errors import ModelError

REFUSALS = (
    r"tokenizer_class is 'BertJapaneseTokenizer', which mtft does not read",
    r"the added token .* has id \d+ in the files, but is number \d+ behind the vocabulary",
    r"post_processor puts no special tokens before and behind a text",
    r"the tokenizer has no token '.*' \((cls|sep)_token\)",
    r"vocab.txt: not a tokenizer file: (cls|sep)_token not found",
)
"""All that a directory which transformers loads may be refused for here."""


def theirs(directory: Path) -> Any:
    """Load a directory with transformers; None if it does not."""
    transformers = pytest.importorskip("transformers")
    transformers.logging.set_verbosity_error()
    try:
        return transformers.AutoTokenizer.from_pretrained(directory, local_files_only=True)
    except Exception:  # whatever it raises: there is nothing to compare with
        return None


def encoded(tokenizer: Any, row: tuple[str, ...], typed: bool) -> tuple[list[int], list[int]]:
    """Return ids and type ids of transformers; without type ids the model takes 0 for all."""
    given = [row] if len(row) == 2 else list(row)
    found = tokenizer(given, **({"return_token_type_ids": True} if typed else {}))
    ids = found["input_ids"][0]
    return ids, found["token_type_ids"][0] if "token_type_ids" in found else [0] * len(ids)


def loaded(directory: Path) -> tuple[Tokenizer | None, str]:
    """Load a directory with mtft, or return why it is refused."""
    try:
        return load_tokenizer(directory), ""
    except ModelError as error:
        return None, str(error)


def assert_parity(directory: Path) -> bool:
    """Compare a directory with transformers; False if it was refused."""
    oracle, (mine, refusal) = theirs(directory), loaded(directory)
    if oracle is None:
        return False
    if mine is None:
        assert any(re.search(reason, refusal) for reason in REFUSALS), refusal
        return False
    config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    path = directory / "tokenizer_config.json"
    chosen = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    from_template = type(oracle).__name__ == "TokenizersBackend" and "model_input_names" not in chosen
    rows = [(text,) for text in TEXTS] + list(product(TEXTS, TEXTS[:3]))
    highest = 0
    for row in rows:
        try:
            ids, types = encoded(oracle, row, from_template)
        except Exception:  # such as a word without tokens where the vocabulary lacks [UNK]
            with pytest.raises(ModelError, match="the tokenizer cannot read a text"):
                mine.table([row], apart=False, max_length=512)
            continue
        if max(ids) >= config["vocab_size"]:  # a token that the model has no embedding for
            continue
        table, _ = mine.table([row], apart=False, max_length=512)
        assert table.ids.tolist() == ids, (row, mine.notes)
        assert table.segments.tolist() == types, (row, mine.notes)
        highest = max(highest, *types)
    assert highest < mine.segments(2) <= max(highest, 1) + 1  # what `check_model` compares with type_vocab_size
    return True


@pytest.mark.soak
def test_ids_and_type_ids_equal_transformers() -> None:
    promise = "ids and segments of a model directory are those of transformers, or it is refused by name"
    compared = 0
    with counted(promise, "cases") as tried:

        @settings(max_examples=cases() // 2, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(directories())
        def check(files: Mapping[str, str]) -> None:
            nonlocal compared
            tried.one()
            with tempfile.TemporaryDirectory() as temporary:
                compared += assert_parity(write(Path(temporary) / "model", files))

        check()
    assert compared > tried.count / 3


@pytest.mark.soak
def test_ids_and_type_ids_of_other_tokenizers_equal_transformers() -> None:
    promise = (
        "ids and segments of a BERT with RoBERTa's or XLM-R's tokenizer are those of transformers, or it is refused"
    )
    compared = 0
    with counted(promise, "cases") as tried:

        @settings(max_examples=cases() // 4, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(other_directories())
        def check(files: Mapping[str, str]) -> None:
            nonlocal compared
            tried.one()
            with tempfile.TemporaryDirectory() as temporary:
                compared += assert_parity(write(Path(temporary) / "model", files))

        check()
    assert compared > tried.count / 3


# ---- Directories as they are found


PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcABC", "##b", "##B"]
SETTINGS = "tokenizer_config.json"


def folder(path: Path, settings: Mapping[str, Any] | None = None, **files: Any) -> Path:
    """Write ``vocab.txt``, a configuration with room for four more tokens, and what is given."""
    content = {"vocab.txt": "\n".join(PIECES), "config.json": json.dumps({"model_type": "bert", "vocab_size": 17})}
    if settings is not None:
        content[SETTINGS] = json.dumps(settings)
    content |= {f"{name}.json": json.dumps(value) for name, value in files.items()}
    return write(path, content)


def whole(path: Path, **changes: Any) -> dict[str, Any]:
    """Return ``tokenizer.json`` of a directory with ``vocab.txt``, with changes."""
    parts: dict[str, Any] = json.loads(load_tokenizer(folder(path))._fast.to_str())
    return {**parts, **changes}


def texts_of(level: str, tokenizer: Tokenizer) -> list[str]:
    return [text for found, text in tokenizer.notes if found == level]


def test_added_tokens_are_one_piece_each(tmp_path: Path) -> None:
    """Also in capitals where no other file calls them special: then they are looked for after lower-casing."""
    added, special = {"[e1]": 13, "[/e1]": 14}, {"additional_special_tokens": ["[e1]", "[/e1]"]}
    plain = folder(tmp_path / "plain", added_tokens=added, special_tokens_map=special)
    assert load_tokenizer(plain).encode(["[e1] a [/E1]"]) == [[13, 5, 14]]
    assert assert_parity(plain)
    listed = {str(number): {"content": content, "special": True} for content, number in added.items()}
    exact = folder(tmp_path / "exact", {"added_tokens_decoder": listed})
    assert load_tokenizer(exact).encode(["[e1] a [/e1] [E1]"]) == [[13, 5, 14, 1, 1, 1]]
    assert assert_parity(exact)


def test_an_added_token_that_is_not_where_the_file_says_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"'\[e1\]' has id 20 in the files, but is number 13 behind the vocabulary"):
        load_tokenizer(folder(tmp_path, added_tokens={"[e1]": 20}))


def test_casing_of_the_settings_wins_over_tokenizer_json_and_is_said(tmp_path: Path) -> None:
    model = folder(tmp_path / "b", {"do_lower_case": False}, tokenizer=whole(tmp_path / "a"))
    tokenizer = load_tokenizer(model)
    assert tokenizer.encode(["a A bB"]) == [[5, 8, 6, 12]]
    (text,) = texts_of("warning", tokenizer)
    assert '"lowercase": false}, not {"lowercase": true}, as BertTokenizer of transformers builds it' in text
    assert assert_parity(model)


def test_files_that_disagree_without_saying_which_counts_are_refused(tmp_path: Path) -> None:
    model = folder(tmp_path / "b", {"do_lower_case": False}, tokenizer=whole(tmp_path / "a"), config={"vocab_size": 17})
    with pytest.raises(ModelError, match=r"neither model_type in config\.json nor tokenizer_class in"):
        load_tokenizer(model)


def test_a_tokenizer_json_as_the_class_builds_it_stays_as_it_is(tmp_path: Path) -> None:
    plain = load_tokenizer(folder(tmp_path / "a"))
    model = load_tokenizer(folder(tmp_path / "b", {}, tokenizer=whole(tmp_path / "a")))
    assert model.notes == plain.notes == ()
    assert model.digest() == plain.digest()


def test_segments_are_those_of_the_template(tmp_path: Path) -> None:
    """A second text in segment 0, as XLM-R's tokenizer has it; which the digest distinguishes."""
    template = {
        "type": "TemplateProcessing",
        "single": [
            {"SpecialToken": {"id": "[CLS]", "type_id": 0}},
            {"Sequence": {"id": "A", "type_id": 0}},
            {"SpecialToken": {"id": "[SEP]", "type_id": 0}},
        ],
        "pair": [
            {"SpecialToken": {"id": "[CLS]", "type_id": 0}},
            {"Sequence": {"id": "A", "type_id": 0}},
            {"SpecialToken": {"id": "[SEP]", "type_id": 0}},
            {"SpecialToken": {"id": "[SEP]", "type_id": 0}},
            {"Sequence": {"id": "B", "type_id": 0}},
            {"SpecialToken": {"id": "[SEP]", "type_id": 0}},
        ],
        "special_tokens": {
            name: {"id": name, "ids": [PIECES.index(name)], "tokens": [name]} for name in ("[CLS]", "[SEP]")
        },
    }
    full = whole(tmp_path / "a", post_processor=template)
    own = load_tokenizer(folder(tmp_path / "b", {"tokenizer_class": "PreTrainedTokenizerFast"}, tokenizer=full))
    berts = load_tokenizer(folder(tmp_path / "c", {"tokenizer_class": "BertTokenizer"}, tokenizer=full))
    table, _ = own.table([("a", "b")], apart=False, max_length=10)
    assert (table.ids.tolist(), table.segments.tolist()) == ([2, 5, 3, 3, 6, 3], [0] * 6)
    table, _ = berts.table([("a", "b")], apart=False, max_length=10)
    assert (table.ids.tolist(), table.segments.tolist()) == ([2, 5, 3, 6, 3], [0, 0, 0, 1, 1])
    assert own.digest() != berts.digest()
    assert (own.segments(2), berts.segments(2), berts.segments(1)) == (1, 2, 1)


def test_a_template_with_segments_that_not_every_transformers_gives_is_said(tmp_path: Path) -> None:
    settings = {"tokenizer_class": "PreTrainedTokenizerFast"}
    open_ = load_tokenizer(folder(tmp_path / "b", settings, tokenizer=whole(tmp_path / "a")))
    (text,) = texts_of("warning", open_)
    assert "segments of pairs are those of the template" in text
    names = {"model_input_names": ["input_ids", "attention_mask"]}
    untyped = load_tokenizer(folder(tmp_path / "c", settings | names, tokenizer=whole(tmp_path / "a")))
    assert (untyped.notes, untyped.segments(2), open_.segments(2)) == ((), 1, 2)


def test_tokens_without_embeddings_are_left_out_and_said(tmp_path: Path) -> None:
    lacking = "\n".join(piece for piece in PIECES if piece != "[MASK]")
    model = folder(tmp_path, config={"model_type": "bert", "vocab_size": 12})
    (model / "vocab.txt").write_text(lacking, encoding="utf-8")
    tokenizer = load_tokenizer(model)
    assert tokenizer.size == 12
    assert texts_of("info", tokenizer) == [f"{model}: the vocabulary has no [MASK]: such a text is read like any other"]


def test_new_tokens_fill_the_embeddings_that_are_left_in_order(tmp_path: Path) -> None:
    files = {
        "vocab.txt": "[PAD]\n[UNK]\n[CLS]\n[SEP]\na\n",
        "tokenizer_config.json": '{"entity_token": "[e1]"}',
        "config.json": '{"model_type": "bert", "vocab_size": 6}',
    }
    model = write(tmp_path / "model", files)
    tokenizer = load_tokenizer(model)
    assert texts_of("info", tokenizer) == [f"{model}: the vocabulary has no [e1]: such a text is read like any other"]
    table, _ = tokenizer.table([("a [MASK] [e1]",)], apart=False, max_length=16)
    assert table.ids.tolist() == [2, 4, 5, 1, 1, 1, 3]
    assert assert_parity(model)


def test_a_class_without_its_tokenizer_json_reads_vocab_txt_and_says_so(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(folder(tmp_path, {"tokenizer_class": "PreTrainedTokenizerFast"}))
    assert tokenizer.encode(["ab"]) == [[5, 11]]
    assert "vocab.txt is read as BERT's" in texts_of("warning", tokenizer)[0]


def test_an_architecture_of_a_plugin_keeps_its_tokenizer_json(tmp_path: Path) -> None:
    full = whole(tmp_path / "a", normalizer=None)
    config = {"model_type": "halfbert", "vocab_size": 17}
    for chosen in (None, {"tokenizer_class": "HalfTokenizer"}):
        tokenizer = load_tokenizer(folder(tmp_path / "b", chosen, tokenizer=full, config=config))
        assert tokenizer.encode(["a A"]) == [[5, 8]]
    cased = folder(tmp_path / "c", {"do_lower_case": True}, tokenizer=full, config=config | {"model_type": "electra"})
    assert load_tokenizer(cased).encode(["a A"]) == [[5, 5]]


@pytest.mark.parametrize(
    ("settings", "files", "message"),
    [
        ({"tokenizer_class": "BertJapaneseTokenizer"}, {}, "tokenizer_class is 'BertJapaneseTokenizer', which mtft"),
        ({"tokenizer_class": 3}, {}, "tokenizer_class is 3, which mtft does not read (allowed: BertTokenizer"),
        ({}, {"config": {"model_type": "bert", "tokenizer_class": "X"}}, "config.json: tokenizer_class is 'X'"),
        (
            {"tokenizer_class": "XLMRobertaTokenizer"},
            {},
            "XLMRobertaTokenizer reads tokenizer.json, which is not there",
        ),
        ({"do_lower_case": "false"}, {}, "do_lower_case is 'false', not true or false"),
        ({"tokenize_chinese_chars": None}, {}, "tokenize_chinese_chars is None, not true or false"),
        ({"strip_accents": 1}, {}, "strip_accents is 1, not true or false"),
        ({"split_special_tokens": True}, {}, "split_special_tokens is True, which mtft does not follow"),
        ({"fast_tokenizer_files": ["tokenizer.4.0.json"]}, {}, "mtft reads tokenizer.json alone"),
        ({"auto_map": {"AutoTokenizer": ["a.B", None]}}, {}, "auto_map names code for the tokenizer"),
        ({"model_input_names": "input_ids"}, {}, "model_input_names is 'input_ids', not a list"),
        ({"cls_token": None}, {}, "cls_token is null, not a token"),
        ({"cls_token": {"lstrip": True}}, {}, "cls_token holds {'lstrip': True}, not a token"),
        ({"added_tokens_decoder": {"13": {"content": "x", "lstrip": 1}}}, {}, "lstrip of 'x' is 1, not true or false"),
        ({"added_tokens_decoder": {"a": {"content": "x"}}}, {}, "added_tokens_decoder is not an object of ids and"),
        ({"added_tokens_decoder": []}, {}, "added_tokens_decoder is not an object of ids and tokens"),
        ({"extra_special_tokens": "x"}, {}, "extra_special_tokens is 'x', not a list of tokens"),
        ({"extra_special_tokens": [""]}, {}, "extra_special_tokens holds an empty token"),
        ({}, {"added_tokens": {"x": "13"}}, "added_tokens.json: 'x' is '13', not a token with its id"),
        ({}, {"added_tokens": {"x": True}}, "added_tokens.json: 'x' is True, not a token with its id"),
        ({}, {"special_tokens_map": {"cls_token": {"content": 1}}}, "cls_token holds {'content': 1"),
        ({}, {"special_tokens_map": []}, "special_tokens_map.json: not a JSON object, but list"),
    ],
)
def test_what_is_not_read_is_named_with_file_key_and_value(
    settings: dict[str, Any], files: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=re.escape(str(tmp_path)) + ".*" + re.escape(message)):
        load_tokenizer(folder(tmp_path, settings, **files))


@pytest.mark.parametrize("name", ["BertTokenizer", "XLMRobertaTokenizer", "RobertaTokenizer"])
def test_a_model_of_another_kind_than_the_class_reads_is_refused(name: str, tmp_path: Path) -> None:
    full = whole(tmp_path / "a")
    if name == "BertTokenizer":
        full["model"] = {"type": "WordLevel", "vocab": full["model"]["vocab"], "unk_token": "[UNK]"}
    wanted = {"BertTokenizer": "WordPiece", "XLMRobertaTokenizer": "Unigram", "RobertaTokenizer": "BPE"}[name]
    with pytest.raises(ModelError, match=rf"model is 'Word\w+', not '{wanted}', which {name} reads"):
        load_tokenizer(folder(tmp_path / "b", {"tokenizer_class": name}, tokenizer=full))


@pytest.mark.parametrize("settings", [{}, {"add_prefix_space": False}, {"tokenizer_class": "XLMRobertaTokenizerFast"}])
@pytest.mark.parametrize("normalizer", [None, {"type": "Lowercase"}])
def test_a_tokenizer_of_xlm_r_equals_transformers(
    settings: dict[str, Any], normalizer: dict[str, Any] | None, tmp_path: Path
) -> None:
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", *(f"\u2581{letter}" for letter in "abcT"), *"abcdehtDE."]
    space = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True}
    vocabulary = [[piece, -number / 10] for number, piece in enumerate(pieces)]
    full: dict[str, Any] = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": normalizer,
        "pre_tokenizer": space,
        "post_processor": None,
        "decoder": None,
        "model": {"type": "Unigram", "unk_id": 3, "vocab": vocabulary, "byte_fallback": False},
    }
    files = {
        SETTINGS: {"tokenizer_class": "XLMRobertaTokenizer"} | settings,
        "tokenizer.json": full,
        "config.json": {"model_type": "bert", "vocab_size": len(pieces)},
    }
    model = write(tmp_path, {name: json.dumps(content) for name, content in files.items()})
    assert assert_parity(model)
    assert load_tokenizer(model).segments(2) == 1


@pytest.mark.parametrize("space", [True, False])
def test_a_tokenizer_of_roberta_equals_transformers(space: bool, tmp_path: Path) -> None:
    fast = FastTokenizer(BPE({piece: n for n, piece in enumerate(["<s>", "<pad>", "</s>", *ByteLevel.alphabet()])}, []))
    fast.pre_tokenizer = ByteLevel(add_prefix_space=True)
    fast.add_special_tokens(["<s>", "<pad>", "</s>"])
    settings = {"tokenizer_class": "RobertaTokenizer", "add_prefix_space": space, "unk_token": "<pad>"}
    config = {"model_type": "bert", "vocab_size": 300}
    files = {SETTINGS: json.dumps(settings), "config.json": json.dumps(config), "tokenizer.json": fast.to_str()}
    assert assert_parity(write(tmp_path, files))
    assert len(texts_of("warning", load_tokenizer(tmp_path))) == (0 if space else 1)
