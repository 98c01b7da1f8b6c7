"""The tokenizer files of a model directory, and the class that reads them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtft.data.tokenizer_classes import BERT, CLASSES, TokenizerClass, find_class
from mtft.errors import ModelError
from mtft.io.files import read_text

LARGEST = 100_000_000
"""Bytes of the largest tokenizer file."""

CASING = ("do_lower_case", "strip_accents", "tokenize_chinese_chars")
USUAL = {
    "bert": "BertTokenizer",
    "camembert": "CamembertTokenizer",
    "distilbert": "BertTokenizer",
    "electra": "BertTokenizer",
    "mpnet": "MPNetTokenizer",
    "roberta": "RobertaTokenizer",
    "xlm-roberta": "XLMRobertaTokenizer",
}
"""The architectures of mtft's own encoder, with the class that transformers takes if none is named."""
BERT_LIKE = ("convbert", "layoutlm", "mobilebert")
"""Other architectures that use BERT's tokenizer if no class is named."""


@dataclass(frozen=True)
class TokenizerFiles:
    """The contents of a directory's JSON files (empty for a missing file), and the text of ``tokenizer.json``."""

    directory: Path
    settings: Mapping[str, Any]
    model: Mapping[str, Any]
    special: Mapping[str, Any]
    added: Mapping[str, Any]
    text: str | None

    @property
    def family(self) -> str | None:
        """Architecture named in ``config.json``, "bert" if it names none; None without that file."""
        return str(self.model.get("model_type", "bert")) if self.model else None


def read_files(directory: Path) -> TokenizerFiles:
    """Read the files of a directory; ModelError if a file is too large or not a JSON object."""
    full, vocabulary = directory / "tokenizer.json", directory / "vocab.txt"
    for path in (full, vocabulary):
        if path.exists() and (not path.is_file() or path.stat().st_size > LARGEST):
            raise ModelError(f"{path} is not a file of at most {LARGEST:,} bytes")
    if not full.exists() and not vocabulary.exists():
        raise ModelError(f"{directory}: neither tokenizer.json nor vocab.txt found")
    try:
        text = read_text(full, LARGEST) if full.exists() else None
    except (OSError, ValueError) as error:
        raise ModelError(f"{full}: not a tokenizer file: {error}") from None
    return TokenizerFiles(
        directory,
        settings=_read_json(directory / "tokenizer_config.json"),
        model=_read_json(directory / "config.json"),
        special=_read_json(directory / "special_tokens_map.json"),
        added=_read_json(directory / "added_tokens.json"),
        text=text,
    )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(read_text(path, LARGEST)) if path.exists() else {}
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path}: not a JSON object: {error}") from None
    if not isinstance(found, dict):
        raise ModelError(f"{path}: not a JSON object, but {type(found).__name__}")
    return found


def find_kind(files: TokenizerFiles) -> tuple[str, TokenizerClass | None]:
    """Return the name of the class that reads a directory, and the class; None means ``tokenizer.json`` as it is.

    ``tokenizer_config.json`` takes precedence over ``config.json``. If neither names a class, the architectures of
    mtft's own encoder use their usual one.
    """
    own = files.family in USUAL
    for source, values in (("tokenizer_config.json", files.settings), ("config.json", files.model)):
        name = values.get("tokenizer_class")
        if name is None:
            continue
        kind = find_class(name) if isinstance(name, str) else None
        if kind is not None:
            return str(name), kind
        if not own and files.text is not None:  # a plugin's architecture: the plugin knows the tokenizer
            return str(name), None
        allowed = f"{', '.join(sorted(CLASSES))}; also with 'Fast' at the end"
        raise ModelError(
            f"{files.directory / source}: tokenizer_class is {name!r}, which mtft does not read (allowed: {allowed})"
        )
    if files.family in USUAL:
        return USUAL[files.family], find_class(USUAL[files.family])
    cased = files.family in BERT_LIKE and any(key in files.settings for key in CASING)
    return "BertTokenizer", BERT if cased or files.text is None else None


def check_settings(files: TokenizerFiles) -> None:
    """Raise ModelError for settings that change token ids and that mtft does not support."""
    path, settings = files.directory / "tokenizer_config.json", files.settings
    if split := settings.get("split_special_tokens"):
        raise ModelError(f"{path}: split_special_tokens is {split!r}, which mtft does not follow (allowed: false)")
    versions = settings.get("fast_tokenizer_files")
    if versions and versions != ["tokenizer.json"]:
        raise ModelError(f"{path}: fast_tokenizer_files is {versions!r}; mtft reads tokenizer.json alone")
    code = settings.get("auto_map")
    if code and (not isinstance(code, dict) or code.get("AutoTokenizer")):
        raise ModelError(f"{path}: auto_map names code for the tokenizer ({code!r}); mtft runs no code of a model")
    names = settings.get("model_input_names")
    if names is not None and not isinstance(names, list):
        raise ModelError(f"{path}: model_input_names is {names!r}, not a list of names")
