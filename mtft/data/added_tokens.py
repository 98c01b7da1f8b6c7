"""Added and special tokens of a tokenizer, read from its files in transformers' order and with its flags.

This follows `PreTrainedTokenizerBase._from_pretrained` of transformers 5. If ``tokenizer_config.json`` has
``added_tokens_decoder``, only that is read; otherwise ``special_tokens_map.json``, ``added_tokens.json`` and the list
in ``tokenizer.json``. Named tokens ([CLS] and so on) that are in none of these come next, then the extra special
tokens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import AddedToken

from mtft.errors import ModelError

NAMED = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
FLAGS = ("single_word", "lstrip", "rstrip", "normalized", "special")

Value = str | AddedToken


@dataclass(frozen=True)
class ListedTokens:
    """Tokens to add, in order; texts of the named tokens; ids given by files; and tokens that are only named."""

    tokens: tuple[AddedToken, ...]
    named: Mapping[str, str | None]
    ids: Mapping[str, int]
    only_named: frozenset[str]


def list_tokens(
    directory: Path,
    settings: Mapping[str, Any],
    special: Mapping[str, Any],
    added: Mapping[str, Any],
    full: Mapping[str, Any] | None,
    defaults: Mapping[str, str],
) -> ListedTokens:
    """Collect the tokens that a directory's files add.

    `settings`, `special`, `added` and `full` are ``tokenizer_config.json``, ``special_tokens_map.json``,
    ``added_tokens.json`` and ``tokenizer.json``; `defaults` are the class's named tokens.
    """
    config, map_file = directory / "tokenizer_config.json", directory / "special_tokens_map.json"
    named = {key: _read(config, key, value) for key, value in settings.items() if _is_token(key, value)}
    extra = Extra()
    extra.read(config, settings)
    if not extra.listed and extra.former:
        extra.listed, extra.former = extra.former, None
    named |= extra.take_names()
    if "added_tokens_decoder" in settings:
        by_id = _numbered(config, "added_tokens_decoder", settings["added_tokens_decoder"])
    else:
        values = {key: value for key, value in special.items() if _is_token(key, value)}
        named |= {key: _read(map_file, key, value, special=True) for key, value in values.items()}
        extra.read(map_file, special)
        named |= extra.take_names()
        by_id = _plain(directory / "added_tokens.json", added, named, extra.listed or [])
        by_id |= _listed(directory / "tokenizer.json", full)
    return _in_order(by_id, {**dict.fromkeys(NAMED), **defaults, **named}, extra.final())


class Extra:
    """Special tokens without a role: a list or an object, under the current key and a former one.

    None means that the key is missing. An empty list is different: it overrides a list under the former key.
    """

    def __init__(self) -> None:
        self.listed: list[Value] | None = None
        self.former: list[Value] | None = None
        self.names: dict[str, Value] = {}

    def read(self, path: Path, values: Mapping[str, Any]) -> None:
        """Take up what a file says."""
        today, before = values.get("extra_special_tokens"), values.get("additional_special_tokens")
        if isinstance(today, dict):
            self.names |= dict(zip(today, _several(path, "extra_special_tokens", list(today.values())), strict=True))
        elif today is not None:
            known = self.listed or []
            new = _several(path, "extra_special_tokens", today)
            self.listed = known + [token for token in new if str(token) not in map(str, known)]
        if before is not None:
            self.former = _several(path, "additional_special_tokens", before)

    def take_names(self) -> dict[str, Value]:
        """Return the named tokens, without repeats."""
        found, self.names = self.names, {}
        return found

    def final(self) -> list[Value]:
        """Return the list that is used."""
        return (self.former or []) if self.listed is None else self.listed


def _in_order(
    by_id: Mapping[int, AddedToken], values: Mapping[str, Value | None], extra: Sequence[Value]
) -> ListedTokens:
    """Join the tokens with ids, in order of id, the named ones, and the extra ones."""
    tokens = {str(token): token for _, token in sorted(by_id.items())}
    numbered = frozenset(tokens)
    for value in (*values.values(), *extra):
        if value is not None and str(value) not in tokens:
            tokens[str(value)] = AddedToken(value, special=True) if isinstance(value, str) else value
    named = {key: None if value is None else str(value) for key, value in values.items()}
    for content in filter(None, named.values()):
        if not tokens[content].special:
            tokens[content].special = True
    ids = {str(token): number for number, token in by_id.items()}
    return ListedTokens(tuple(tokens.values()), named, ids, frozenset(filter(None, named.values())) - numbered)


def _is_token(key: str, value: object) -> bool:
    """Return whether a setting names a token: one of the usual keys, or any other ``..._token`` that is no switch."""
    return key in NAMED or (key.endswith("_token") and isinstance(value, str | dict))


def _read(path: Path, key: str, value: Any, *, special: bool | None = None) -> Value | None:
    """Return a token as transformers handles it: a plain text, or a text with flags."""
    if value is None or isinstance(value, str):
        return value
    return _token(path, key, value if special is None or not isinstance(value, dict) else {**value, "special": special})


def _token(path: Path, key: str, value: Any) -> AddedToken:
    fields = dict(value) if isinstance(value, dict) else {}
    for ignored in ("id", "__type"):
        fields.pop(ignored, None)
    content = fields.pop("content", None)
    if not isinstance(content, str) or not content or fields.keys() - set(FLAGS):
        raise ModelError(
            f"{path}: {key} holds {value!r}, not a token: a text, or an object with 'content' and of {', '.join(FLAGS)}"
        )
    if wrong := [name for name, flag in fields.items() if not isinstance(flag, bool)]:
        raise ModelError(f"{path}: {key}: {wrong[0]} of {content!r} is {fields[wrong[0]]!r}, not true or false")
    return AddedToken(content, **fields)


def _several(path: Path, key: str, values: Any) -> list[Value]:
    """Return a list of tokens."""
    if not isinstance(values, list):
        raise ModelError(f"{path}: {key} is {values!r}, not a list of tokens")
    read = [_read(path, key, value, special=True) for value in values]
    if None in read or "" in read:
        raise ModelError(f"{path}: {key} holds an empty token")
    return [token for token in read if token is not None]


def _numbered(path: Path, key: str, value: Any) -> dict[int, AddedToken]:
    """Read an object that maps ids to tokens."""
    if not isinstance(value, dict) or not all(text.isdecimal() for text in value):
        raise ModelError(f"{path}: {key} is not an object of ids and tokens")
    return {int(number): _token(path, f"{key}: {number}", token) for number, token in value.items()}


def _plain(
    path: Path, added: Mapping[str, Any], named: Mapping[str, Value | None], extra: Sequence[Value]
) -> dict[int, AddedToken]:
    """Read ``added_tokens.json``: token texts and ids. A token is special if another file names it as special."""
    names = {str(named[key]) for key in NAMED if named.get(key)} | set(map(str, extra))
    for content, number in added.items():
        if not content or isinstance(number, bool) or not isinstance(number, int) or number < 0:
            raise ModelError(f"{path}: {content!r} is {number!r}, not a token with its id")
    return {
        number: AddedToken(content, normalized=content not in names, special=content in names)
        for content, number in added.items()
    }


def _listed(path: Path, full: Mapping[str, Any] | None) -> dict[int, AddedToken]:
    """Read the list in ``tokenizer.json``."""
    listed = (full or {}).get("added_tokens") or []
    if not isinstance(listed, list):
        raise ModelError(f"{path}: added_tokens is not a list")
    found = {}
    for token in listed:
        number = token.get("id") if isinstance(token, dict) else None
        if isinstance(number, bool) or not isinstance(number, int):
            raise ModelError(f"{path}: added_tokens: {token!r} has no id")
        found[number] = _token(path, "added_tokens", token)
    return found
