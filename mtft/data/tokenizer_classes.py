"""How the tokenizer classes of transformers read a directory's files, for the classes that mtft supports.

A class such as BertTokenizer builds its own parts and takes only the vocabulary from ``tokenizer.json``;
PreTrainedTokenizerFast takes the whole file. Each entry here gives the parts that the class builds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mtft.data.frame import Frames, bert_frames, roberta_frames
from mtft.errors import ModelError

Named = Mapping[str, str | None]
"""Special tokens by their role."""
Parts = dict[str, Any]
"""A tokenizer as JSON: its parts by name."""


@dataclass(frozen=True)
class Settings:
    """The content and path of ``tokenizer_config.json``."""

    path: Path
    values: Mapping[str, Any]

    def switch(self, key: str, default: bool) -> bool:
        """Return a boolean setting; ModelError for any other value."""
        value = self.values.get(key, default)
        if not isinstance(value, bool):
            raise ModelError(f"{self.path}: {key} is {value!r}, not true or false")
        return value


@dataclass(frozen=True)
class TokenizerClass:
    """How one class reads a directory.

    `model` is the kind of model that it requires. `parts` (settings, named tokens, tokenizer.json) returns the parts
    that replace those of ``tokenizer.json``. `named` are its special tokens, `ends` those used in its `frames`, and
    `typed` says whether it gives type ids. Without `frames`, those of the file's template are used.
    """

    model: str | None = None
    parts: Callable[[Settings, Named, Parts], Parts] = lambda settings, named, full: {}
    named: Mapping[str, str] = field(default_factory=dict)
    ends: tuple[str, str] = ("cls_token", "sep_token")
    frames: Callable[[int, int], Frames] | None = None
    typed: bool = True


def casing(settings: Settings) -> Parts:
    """Return BERT's normalizer with the given settings, and BERT's own rules for settings that are missing."""
    return {
        "type": "BertNormalizer",
        "clean_text": True,
        "handle_chinese_chars": settings.switch("tokenize_chinese_chars", True),
        "strip_accents": None
        if settings.values.get("strip_accents") is None
        else settings.switch("strip_accents", False),
        "lowercase": settings.switch("do_lower_case", True),
    }


def _bert(settings: Settings, named: Named, full: Parts) -> Parts:
    rules = {"continuing_subword_prefix": "##", "max_input_chars_per_word": 100}
    return {
        "normalizer": casing(settings),
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "model": _with(full["model"], {**rules, "unk_token": named["unk_token"]}),
    }


def _roberta(settings: Settings, named: Named, full: Parts) -> Parts:
    space = settings.switch("add_prefix_space", False)
    given = full.get("pre_tokenizer") or {}
    trim = {"trim_offsets": given.get("trim_offsets", True)}  # has no effect on ids
    rules = {
        "dropout": None,
        "unk_token": None,
        "continuing_subword_prefix": "",
        "end_of_word_suffix": "",
        "fuse_unk": False,
        "byte_fallback": False,
        "ignore_merges": False,
    }
    return {
        "normalizer": None,
        "pre_tokenizer": {**trim, "type": "ByteLevel", "add_prefix_space": space, "use_regex": True},
        "model": _with(full["model"], rules),
    }


def _xlm_roberta(settings: Settings, named: Named, full: Parts) -> Parts:
    return _unigram(settings, full, 3)


def _camembert(settings: Settings, named: Named, full: Parts) -> Parts:
    pieces = [piece for piece, _ in full["model"]["vocab"]]
    unknown = named["unk_token"]
    return _unigram(settings, full, pieces.index(unknown) if unknown in pieces else 0)


def _unigram(settings: Settings, full: Parts, unknown: int) -> Parts:
    """Return the parts around a vocabulary of SentencePiece; `unknown` is the id of the unknown token."""
    scheme = "always" if settings.switch("add_prefix_space", True) else "never"
    given = full.get("normalizer") or {}
    several = given.get("normalizers", [given])
    charts = [part for part in several if part.get("type") == "Precompiled" and part.get("precompiled_charsmap")]
    metaspace = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": scheme, "split": True}
    return {
        "normalizer": charts[0] if charts else None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, metaspace]},
        "model": _with(full["model"], {"unk_id": unknown, "byte_fallback": False}),
    }


def _with(model: Parts, rules: Parts) -> Parts:
    """Return a model with these rules; null, false and an empty text are equivalent."""
    return {**model, **{key: rule for key, rule in rules.items() if (model.get(key) or None) != (rule or None)}}


BERT_NAMED = {
    "unk_token": "[UNK]",
    "sep_token": "[SEP]",
    "pad_token": "[PAD]",
    "cls_token": "[CLS]",
    "mask_token": "[MASK]",
}
ROBERTA_NAMED = {
    "bos_token": "<s>",
    "eos_token": "</s>",
    "unk_token": "<unk>",
    "sep_token": "</s>",
    "pad_token": "<pad>",
    "cls_token": "<s>",
    "mask_token": "<mask>",
}
MPNET_NAMED = {**ROBERTA_NAMED, "unk_token": "[UNK]"}
SENTENCEPIECE_ENDS = ("bos_token", "eos_token")
BERT = TokenizerClass("WordPiece", _bert, BERT_NAMED, frames=bert_frames)
UNTYPED_BERT = TokenizerClass("WordPiece", _bert, BERT_NAMED, frames=bert_frames, typed=False)
AS_FILE = TokenizerClass()
CLASSES: dict[str, TokenizerClass] = {
    "BertTokenizer": BERT,
    "CamembertTokenizer": TokenizerClass(
        "Unigram", _camembert, ROBERTA_NAMED, SENTENCEPIECE_ENDS, roberta_frames, typed=False
    ),
    "ConvBertTokenizer": BERT,
    "DistilBertTokenizer": UNTYPED_BERT,
    "ElectraTokenizer": BERT,
    "LayoutLMTokenizer": BERT,
    "MPNetTokenizer": TokenizerClass("WordPiece", _bert, MPNET_NAMED, frames=roberta_frames, typed=False),
    "MobileBertTokenizer": BERT,
    "PreTrainedTokenizer": AS_FILE,
    "PreTrainedTokenizerFast": AS_FILE,
    "RobertaTokenizer": TokenizerClass("BPE", _roberta, ROBERTA_NAMED, frames=roberta_frames, typed=False),
    "TokenizersBackend": AS_FILE,
    "XLMRobertaTokenizer": TokenizerClass(
        "Unigram", _xlm_roberta, ROBERTA_NAMED, SENTENCEPIECE_ENDS, roberta_frames, typed=False
    ),
}
"""The supported classes by name; a name with ``Fast`` at its end means the same class."""


def find_class(name: str) -> TokenizerClass | None:
    """Return the class of this name; None if mtft does not support it."""
    return CLASSES.get(name) or CLASSES.get(name.removesuffix("Fast"))
