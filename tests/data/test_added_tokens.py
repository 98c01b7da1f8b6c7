"""Added tokens: order, flags, and which file counts. Parity with transformers is in test_pretrained_tokenizer.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mtft.data.added_tokens import ListedTokens, list_tokens

WHERE = Path("model")
DEFAULTS = {"cls_token": "[CLS]", "sep_token": "[SEP]"}


def listed(
    settings: dict[str, Any] | None = None,
    special: dict[str, Any] | None = None,
    added: dict[str, Any] | None = None,
    full: dict[str, Any] | None = None,
) -> ListedTokens:
    return list_tokens(WHERE, settings or {}, special or {}, added or {}, full, DEFAULTS)


def contents(found: ListedTokens) -> list[str]:
    return [str(token) for token in found.tokens]


def test_named_tokens_alone_are_special() -> None:
    found = listed()
    assert contents(found) == ["[SEP]", "[CLS]"]
    assert all(token.special and not token.normalized for token in found.tokens)
    assert found.only_named == {"[SEP]", "[CLS]"}
    assert found.named["unk_token"] is None


def test_tokens_with_ids_come_first_in_their_order() -> None:
    found = listed(added={"b": 9, "a": 8}, special={"additional_special_tokens": ["c"]})
    assert contents(found) == ["a", "b", "[SEP]", "[CLS]", "c"]
    assert dict(found.ids) == {"a": 8, "b": 9}
    assert [token.normalized for token in found.tokens] == [True, True, False, False, False]


def test_the_decoder_of_the_settings_hides_the_other_files() -> None:
    decoder = {"8": {"content": "a", "lstrip": True, "__type": "AddedToken"}}
    found = listed({"added_tokens_decoder": decoder}, {"cls_token": "<s>"}, {"b": 9}, {"added_tokens": "nonsense"})
    assert contents(found) == ["a", "[SEP]", "[CLS]"]
    assert found.tokens[0].lstrip


def test_the_map_wins_over_the_settings_and_tokenizer_json_over_both_lists() -> None:
    full = {"added_tokens": [{"id": 8, "content": "x", "special": True}]}
    found = listed({"cls_token": "<a>"}, {"cls_token": {"content": "<b>", "lstrip": True}}, {"y": 8}, full)
    assert contents(found) == ["x", "[SEP]", "<b>"]
    assert found.tokens[2].lstrip
    assert found.tokens[2].special


def test_an_empty_list_hides_one_under_the_former_name() -> None:
    special = {"additional_special_tokens": ["c"]}
    assert "c" in contents(listed({}, special))
    assert "c" not in contents(listed({"extra_special_tokens": []}, special))
    assert contents(listed({"additional_special_tokens": ["d"]}, special))[-1] == "d"
    named = listed({"extra_special_tokens": {"image_token": "<i>"}}, special)
    assert contents(named)[-2:] == ["<i>", "c"]
    assert named.named["image_token"] == "<i>"


def test_a_named_token_among_those_with_ids_becomes_special() -> None:
    found = listed({"entity_token": "[E]"}, added={"[E]": 7})
    assert found.tokens[0].special
    assert found.tokens[0].normalized  # as it was listed
    assert "[E]" not in found.only_named
