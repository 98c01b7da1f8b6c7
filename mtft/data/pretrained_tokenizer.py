"""A directory's tokenizer, built from its files as transformers builds it, with notes on overridden settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, BertWordPieceTokenizer
from tokenizers import Tokenizer as FastTokenizer
from tokenizers.models import WordPiece

from mtft.data.added_tokens import FLAGS, ListedTokens, list_tokens
from mtft.data.frame import Frames, by_text, template_frames
from mtft.data.tokenizer_classes import AS_FILE, BERT, Settings, TokenizerClass, casing
from mtft.data.tokenizer_files import USUAL, TokenizerFiles, check_settings, find_kind, read_files
from mtft.errors import ModelError
from mtft.runtime.notices import Level, Notice

Parts = dict[str, Any]
"""A tokenizer as JSON: its parts by name."""


@dataclass(frozen=True)
class PretrainedTokenizer:
    """A tokenizer, its frames (None: those of its own template), and notes about its files."""

    fast: FastTokenizer
    frames: Frames | None
    notes: tuple[Notice, ...]


def read_tokenizer(directory: Path) -> PretrainedTokenizer:
    """Build the tokenizer of a directory; ModelError names the file, the key, the value and the allowed values."""
    files = read_files(directory)
    name, kind = find_kind(files)
    check_settings(files)
    try:
        if kind is None:
            return PretrainedTokenizer(FastTokenizer.from_str(str(files.text)), None, ())
        builder = Builder(files, name, kind)
        fast = builder.from_vocabulary() if files.text is None else builder.from_json()
        return PretrainedTokenizer(fast, builder.frames(fast), tuple(builder.notes))
    except ModelError:
        raise
    except Exception as error:  # the library raises bare Exception for any malformed file
        path = directory / ("vocab.txt" if files.text is None else "tokenizer.json")
        raise ModelError(f"{path}: not a tokenizer file: {error}") from None


@dataclass
class Builder:
    """Builds the tokenizer of a class from files, and collects notes about them."""

    files: TokenizerFiles
    name: str
    kind: TokenizerClass
    notes: list[Notice] = field(default_factory=list)
    listed: ListedTokens = field(init=False)

    def from_vocabulary(self) -> FastTokenizer:
        """Build BERT's tokenizer from ``vocab.txt``."""
        directory = self.files.directory
        if self.kind is AS_FILE:
            self._note("warning", f"{self.name} reads tokenizer.json, which is not there: vocab.txt is read as BERT's")
            self.kind = BERT
        if self.kind.model != "WordPiece":
            raise ModelError(f"{directory}: {self.name} reads tokenizer.json, which is not there (vocab.txt is BERT's)")
        self.listed = self._list(None)
        rules = casing(self._settings())
        words = BertWordPieceTokenizer(
            WordPiece.read_file(str(directory / "vocab.txt")),  # tokenizers 0.21 deprecates a path here
            **{key: self._named(key) for key in ("unk_token", "sep_token", "cls_token")},
            lowercase=rules["lowercase"],
            strip_accents=rules["strip_accents"],
            handle_chinese_chars=rules["handle_chinese_chars"],
        )
        state = json.loads(words._tokenizer.to_str())
        return self._with_tokens(words._tokenizer, state, {**state, "added_tokens": []})

    def from_json(self) -> FastTokenizer:
        """Build the class's tokenizer from ``tokenizer.json``; if the parts are the same, use the file as it is."""
        fast = FastTokenizer.from_str(str(self.files.text))
        state: Parts = json.loads(fast.to_str())
        self.listed = self._list(state)
        self._check_model(state["model"]["type"])
        parts = self.kind.parts(self._settings(), self.listed.named, state)
        changed = {key: part for key, part in parts.items() if part != state[key]}
        if changed:
            self._explain(difference(state, changed))
        bare = {**state, **changed, "added_tokens": [] if self.kind.model else state["added_tokens"]}
        return self._with_tokens(None if changed else fast, state, bare)

    def frames(self, fast: FastTokenizer) -> Frames:
        """Return the special tokens that the class puts around texts.

        For an encoder of a plugin, each text is its own segment.
        """
        frames = self._template(fast) if self.kind.frames is None else self.kind.frames(*self._ends(fast))
        if self.files.family not in (*USUAL, None):
            return {count: by_text(frame) for count, frame in frames.items()}
        names = self.files.settings.get("model_input_names")
        typed = self.kind.typed if names is None else "token_type_ids" in names
        return frames if typed else {count: frame.untyped() for count, frame in frames.items()}

    def _note(self, level: Level, text: str) -> None:
        self.notes.append((level, f"{self.files.directory}: {text}"))

    def _settings(self) -> Settings:
        return Settings(self.files.directory / "tokenizer_config.json", self.files.settings)

    def _list(self, state: Parts | None) -> ListedTokens:
        files = self.files
        return list_tokens(files.directory, files.settings, files.special, files.added, state, self.kind.named)

    def _named(self, key: str) -> str:
        """Return a special token that the class requires."""
        value = self.listed.named.get(key)
        if value is None:
            raise ModelError(f"{self.files.directory}: {key} is null, not a token")
        return value

    def _check_model(self, found: str) -> None:
        """Raise ModelError unless the model in ``tokenizer.json`` is of the kind that the class reads."""
        if self.kind.model not in (None, found):
            path, hint = self.files.directory / "tokenizer.json", "tokenizer_class 'PreTrainedTokenizerFast'"
            raise ModelError(
                f"{path}: model is {found!r}, not {self.kind.model!r}, which {self.name} reads; with {hint} in "
                f"tokenizer_config.json the file is taken as it is"
            )
        if self.kind.model == "WordPiece":
            self._named("unk_token")

    def _explain(self, text: str) -> None:
        """Note the settings of ``tokenizer.json`` that the class overrides; ModelError if it is unclear which apply."""
        if "model_type" not in self.files.model and "tokenizer_class" not in self.files.settings:
            raise ModelError(
                f"{self.files.directory}: tokenizer.json differs from BERT's rules ({text}), and neither model_type "
                f"in config.json nor tokenizer_class in tokenizer_config.json says which apply"
            )
        self._note("warning", f"tokenizer.json: {text}, as {self.name} of transformers builds it")

    def _with_tokens(self, fast: FastTokenizer | None, state: Parts, bare: Parts) -> FastTokenizer:
        """Return the tokenizer `bare` with the listed tokens; or `fast`, built from `state`, if both are equal."""
        tokens = [
            token for token in self.listed.tokens if str(token) in self.listed.ids or str(token) not in _flags(bare)
        ]
        wanted = _flags(bare) | {str(token): [getattr(token, flag) for flag in FLAGS] for token in tokens}
        if fast is None or _flags(state) != wanted:
            fast = FastTokenizer.from_str(json.dumps(bare))
            fast.add_tokens(self._usable(fast, tokens))
        for content, number in self.listed.ids.items():
            if fast.token_to_id(content) != number:
                raise ModelError(
                    f"{self.files.directory}: the added token {content!r} has id {number} in the files, but is number "
                    f"{fast.token_to_id(content)} behind the vocabulary"
                )
        return fast

    def _usable(self, fast: FastTokenizer, tokens: list[AddedToken]) -> list[AddedToken]:
        """Leave out the new special tokens that get no embedding, if no other tokens are new."""
        new = [str(token) for token in tokens if fast.token_to_id(str(token)) is None]
        size = self.files.model.get("vocab_size")
        room = size - fast.get_vocab_size() if isinstance(size, int) else 0
        if len(new) <= room or not self.listed.only_named.issuperset(new):
            return tokens
        left_out = new[max(room, 0) :]
        self._note("info", f"the vocabulary has no {', '.join(left_out)}: such a text is read like any other")
        return [token for token in tokens if str(token) not in left_out]

    def _template(self, fast: FastTokenizer) -> Frames:
        """Return the frames described in ``tokenizer.json``."""
        frames = template_frames(fast)
        if frames is None:
            path = self.files.directory / "tokenizer.json"
            raise ModelError(
                f"{path}: post_processor puts no special tokens before and behind a text, but mtft needs them"
            )
        if "model_input_names" not in self.files.settings and frames[2].segments > 1:
            self._note(
                "warning",
                "segments of pairs are those of the template in tokenizer.json; transformers 5 gives them only if "
                "model_input_names in tokenizer_config.json has 'token_type_ids'",
            )
        return frames

    def _ends(self, fast: FastTokenizer) -> list[int]:
        """Return the ids of the special tokens before and after a text."""
        found = []
        for key in self.kind.ends:
            number = fast.token_to_id(self._named(key))
            if number is None:
                raise ModelError(f"{self.files.directory}: the tokenizer has no token {self._named(key)!r} ({key})")
            found.append(number)
        return found


def _flags(parts: Parts) -> dict[str, list[bool]]:
    """Return the added tokens of a tokenizer with their flags."""
    return {token["content"]: [token[flag] for flag in FLAGS] for token in parts["added_tokens"]}


def difference(state: Parts, changed: Parts) -> str:
    """Describe the parts of a tokenizer that differ from those in `state`."""
    return "; ".join(
        f"{key} is {_shown(part, state[key])}, not {_shown(state[key], part)}" for key, part in changed.items()
    )


def _shown(value: Any, other: Any) -> str:
    """Show the settings in which a part differs from another of the same type; large values are shown as dots."""
    if not isinstance(value, Mapping):
        return json.dumps(value)
    same = isinstance(other, Mapping) and value.get("type") == other.get("type")
    shown = {key: entry for key, entry in value.items() if not same or entry != other.get(key)}
    return json.dumps({key: entry if len(str(entry)) < 200 else "..." for key, entry in shown.items()})
