"""Model directories drawn at random: vocabulary, casing, added and special tokens, template, class and files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from tokenizers.pre_tokenizers import ByteLevel

PIECES = [
    *"abcdeABCDEé",
    *(f"##{letter}" for letter in "abcdeABCDEé"),
    *".,![]/1",
    *("the", "The", "##ing", "über", "Über", "uber", "中", "中文", "##文", "[e1]", "mask"),
]
TEXTS = [
    "the bad cab",
    "The BAD Cab, abcde!",
    "É é Über über uber",
    "中文 a中b",
    "[e1] a [/e1] b[E1]c <x>d",
    "[MASK] [SEP] [PAD] [mask] <mask> [X]",
    "",
    "  zebra abcing\tthe\n",
]
FLAG = st.sampled_from([None, True, False])


def token(draw: st.DrawFn, content: str, **more: Any) -> dict[str, Any]:
    """Draw a token with flags."""
    flags = {name: draw(st.booleans()) for name in ("lstrip", "rstrip", "normalized", "single_word")}
    return {"content": content, **flags, **more}


@st.composite
def directories(draw: st.DrawFn) -> dict[str, str]:
    """Draw the files of a model directory, without weights: name -> text."""
    named = draw(st.sampled_from([{}, {}, {"cls_token": "<s>", "sep_token": "</s>"}, {"unk_token": "<unk>"}]))
    specials = {
        "pad_token": "[PAD]",
        "unk_token": "[UNK]",
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "mask_token": "[MASK]",
    } | named
    lacking = draw(st.sampled_from([(), (), (), ("mask_token",), ("pad_token", "mask_token")]))
    first = [value for key, value in specials.items() if key not in lacking]
    kept = draw(st.sets(st.sampled_from(PIECES), min_size=10))
    pieces = [*first, *(piece for piece in PIECES if piece in kept)]
    spare = draw(st.sampled_from([0, 0, 3, 8]))
    files: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    for key in ("do_lower_case", "strip_accents", "tokenize_chinese_chars"):
        if (value := draw(FLAG)) is not None:
            settings[key] = value
    if named:
        draw(st.sampled_from([settings, files.setdefault("special_tokens_map.json", {})])).update(named)
    _added(draw, files, settings, pieces)
    layout = draw(st.sampled_from(["vocab", "json", "both"]))
    if layout != "json":
        end = draw(st.sampled_from(["\n", "\n", "\r\n"]))
        again = draw(st.sampled_from([[], [], [], pieces[-1:]]))  # a piece twice: the last number counts
        mark = draw(st.sampled_from(["", "", "", "\ufeff"]))
        files["vocab.txt"] = mark + "".join(f"{piece}{end}" for piece in [*pieces, *again])
        spare += len(again)
    if layout != "vocab":
        files["tokenizer.json"] = _whole(draw, pieces, specials)
    names = draw(st.sampled_from([None, None, ["input_ids", "attention_mask"], ["input_ids", "token_type_ids"]]))
    if names:
        settings["model_input_names"] = names
    classes = [None, "BertTokenizer", "BertTokenizerFast", "PreTrainedTokenizerFast", "DistilBertTokenizer"]
    name = draw(st.sampled_from([*classes, "BertJapaneseTokenizer"]))
    config: dict[str, Any] = {"model_type": "bert", "vocab_size": len(pieces) + spare}
    if name:
        draw(st.sampled_from([settings, settings, config]))["tokenizer_class"] = name
    if segments := draw(st.sampled_from([None, 1, 2])):
        config["type_vocab_size"] = segments
    others = {"do_basic_tokenize": False, "never_split": ["[e1]"], "word_tokenizer_type": "mecab", "use_fast": False}
    settings |= draw(st.sampled_from([{}, {}, others]))
    if bool(settings) or draw(st.booleans()):
        files["tokenizer_config.json"] = settings
    files["config.json"] = config
    return {name: content if isinstance(content, str) else json.dumps(content) for name, content in files.items()}


def _added(draw: st.DrawFn, files: dict[str, Any], settings: dict[str, Any], pieces: list[str]) -> None:
    """Draw added tokens, in some of the files that can name them."""
    contents = draw(st.lists(st.sampled_from(["[e1]", "[/e1]", "<x>", "zebra", "Cab"]), unique=True, max_size=3))
    numbers: dict[str, int] = {}
    for content in contents:
        new = len(pieces) + sum(number >= len(pieces) for number in numbers.values())
        numbers[content] = pieces.index(content) if content in pieces else new
    where = draw(st.sampled_from(["none", "added", "decoder", "special", "extra", "named"]))
    special = files.setdefault("special_tokens_map.json", {})
    if where == "added":
        files["added_tokens.json"] = numbers
        if draw(st.booleans()):
            special["additional_special_tokens"] = contents
    elif where == "decoder":
        settings["added_tokens_decoder"] = {
            str(number): token(draw, content, special=draw(st.booleans())) for content, number in numbers.items()
        }
    elif where == "special":
        special["additional_special_tokens"] = contents
    elif where == "extra":
        settings[draw(st.sampled_from(["extra_special_tokens", "additional_special_tokens"]))] = contents
    elif where == "named" and contents:
        settings["entity_token"] = contents[0]
        settings["cls_token"] = settings.get("cls_token", special.get("cls_token", "[CLS]"))
    if not special:
        del files["special_tokens_map.json"]


def _whole(draw: st.DrawFn, pieces: list[str], specials: Mapping[str, str]) -> dict[str, Any]:
    """Draw a ``tokenizer.json`` for the pieces."""
    normalizer = {
        "type": "BertNormalizer",
        "clean_text": True,
        "handle_chinese_chars": draw(st.booleans()),
        "strip_accents": draw(FLAG),
        "lowercase": draw(st.booleans()),
    }
    cls, sep = specials["cls_token"], specials["sep_token"]
    second = draw(st.sampled_from([0, 1]))
    single = [(cls, 0), ("A", 0), (sep, 0)]
    pair = [*single, *([(sep, 0)] if draw(st.booleans()) else []), ("B", second), (sep, second)]
    template = {
        "type": "TemplateProcessing",
        "single": _template(single),
        "pair": _template(pair),
        "special_tokens": {name: {"id": name, "ids": [pieces.index(name)], "tokens": [name]} for name in (cls, sep)},
    }
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    listed = [name for name in specials.values() if name in pieces and draw(st.booleans())]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": sorted(
            ({"id": pieces.index(name), "content": name, **flags} for name in listed), key=lambda token: token["id"]
        ),
        "normalizer": draw(st.sampled_from([normalizer, normalizer, None, {"type": "NFC"}])),
        "pre_tokenizer": draw(st.sampled_from([{"type": "BertPreTokenizer"}, {"type": "Whitespace"}])),
        "post_processor": draw(st.sampled_from([template, template, template, None])),
        "decoder": None,
        "model": {
            "type": "WordPiece",
            "unk_token": specials["unk_token"],
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": draw(st.sampled_from([100, 5])),
            "vocab": {piece: number for number, piece in enumerate(pieces)},
        },
    }


@st.composite
def other_directories(draw: st.DrawFn) -> dict[str, str]:
    """Draw a directory with a tokenizer of RoBERTa or XLM-R in front of a BERT."""
    named = {"cls_token": "<s>", "sep_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    unigram = draw(st.booleans())
    model: dict[str, Any]
    if unigram:
        pieces += [f"\u2581{letter}" for letter in "abcT"] + [*"abcdehtDEB.\u2581"]
        vocabulary = [[piece, -number / 10] for number, piece in enumerate(pieces)]
        model = {"type": "Unigram", "unk_id": 3, "vocab": vocabulary, "byte_fallback": False}
        space: dict[str, Any] = {
            "type": "Metaspace",
            "replacement": "\u2581",
            "prepend_scheme": "always",
            "split": True,
        }
    else:
        pieces += ByteLevel.alphabet()
        model = {"type": "BPE", "vocab": {piece: number for number, piece in enumerate(pieces)}, "merges": []}
        space = {"type": "ByteLevel", "add_prefix_space": draw(st.booleans()), "trim_offsets": True, "use_regex": True}
    kind, double = draw(st.sampled_from([0, 1])), draw(st.booleans())
    single = [("<s>", 0), ("A", 0), ("</s>", 0)]
    pair = [*single, *([("</s>", 0)] if double else []), ("B", kind), ("</s>", kind)]
    special = {name: {"id": name, "ids": [pieces.index(name)], "tokens": [name]} for name in ("<s>", "</s>")}
    template = {
        "type": "TemplateProcessing",
        "single": _template(single),
        "pair": _template(pair),
        "special_tokens": special,
    }
    name = "XLMRobertaTokenizer" if unigram else "RobertaTokenizer"
    settings: dict[str, Any] = {
        "tokenizer_class": draw(st.sampled_from([name, f"{name}Fast", "PreTrainedTokenizerFast"]))
    }
    if (prefix := draw(FLAG)) is not None:
        settings["add_prefix_space"] = prefix
    if names := draw(st.sampled_from([None, ["input_ids", "attention_mask"], ["input_ids", "token_type_ids"]])):
        settings["model_input_names"] = names
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    full = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": number, "content": piece, **flags} for number, piece in enumerate(pieces[:5])],
        "normalizer": draw(st.sampled_from([None, {"type": "Lowercase"}, {"type": "NFKC"}])),
        "pre_tokenizer": space,
        "post_processor": draw(st.sampled_from([template, template, None])),
        "decoder": None,
        "model": model,
    }
    files = {
        "tokenizer.json": full,
        "tokenizer_config.json": settings | draw(st.sampled_from([{}, named])),
        "config.json": {"model_type": "bert", "vocab_size": len(pieces) + 4},
    }
    return {name: json.dumps(content) for name, content in files.items()}


def _template(parts: list[tuple[str, int]]) -> list[dict[str, Any]]:
    return [
        {"Sequence" if name in ("A", "B") else "SpecialToken": {"id": name, "type_id": kind}} for name, kind in parts
    ]


def write(directory: Path, files: Mapping[str, str]) -> Path:
    """Write files into a directory."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (directory / name).write_text(content, encoding="utf-8", newline="")
    return directory
