"""Turn Python inputs into records: texts, pairs of texts, texts by column name, pandas and polars tables."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from typing import Any, cast

from mtft.data.stream_records import TEXTS, Record

Input = str | Sequence[str] | Mapping[str, Any]
"""A text; a pair of texts, as a tuple or a list; or texts by column name."""

HINT = "a text, a pair of texts, or a mapping from column names to texts"


def input_records(inputs: Iterable[Input], keys: Collection[tuple[str, ...]]) -> Iterator[Record]:
    """Yield a record for each input, with an error if it holds no text; `keys` are the columns of all tasks.

    ValueError if `inputs` is not a list of inputs but one text, one mapping, a tuple (which could mean a pair or two
    texts), a number, or a table without the columns of any task.
    """
    return (_record(number, given, keys) for number, given in enumerate(_listed(inputs, keys)))


def _listed(inputs: Any, keys: Collection[tuple[str, ...]]) -> Iterable[Any]:
    """Return inputs one by one; ValueError explains the expected form."""
    if isinstance(inputs, str | Mapping):
        what = "text" if isinstance(inputs, str) else "record"
        raise ValueError(f"inputs is one {what}, {_shown(inputs)}; give a list of them, as in [{what}]")
    if isinstance(inputs, tuple):
        raise ValueError("inputs is a tuple; give a list: [('a', 'b')] is one pair of texts, ['a', 'b'] are two texts")
    if type(inputs).__name__ == "LazyFrame":  # of polars, whose columns are not known yet
        raise ValueError("inputs is a LazyFrame, whose rows are not there yet; give inputs.collect()")
    if hasattr(inputs, "columns"):
        return _rows(inputs, keys)
    if isinstance(inputs, bytes | bytearray) or not isinstance(inputs, Iterable):
        raise ValueError(f"inputs is {_shown(inputs)}, not a list of inputs; each is {HINT}")
    return inputs


def _rows(table: Any, keys: Collection[tuple[str, ...]]) -> Iterable[Mapping[str, Any]]:
    """Return the rows of a table, with only the columns that hold texts of a task."""
    names = [str(name) for name in table.columns]
    if not any(set(each) <= set(names) for each in keys):
        wanted = " or ".join(dict.fromkeys(" and ".join(each) for each in keys))
        raise ValueError(f"inputs has the columns {', '.join(names) or 'none'}; the tasks need {wanted}")
    needed = {key for each in keys for key in each}
    table = table[[name for name in table.columns if str(name) in needed]]
    if hasattr(table, "iter_rows"):  # polars
        return cast("Iterable[Mapping[str, Any]]", table.iter_rows(named=True))
    to_dict: Callable[[str], Any] = table.to_dict
    return cast("Iterable[Mapping[str, Any]]", to_dict("records"))


def _record(number: int, given: Any, keys: Collection[tuple[str, ...]]) -> Record:
    """Return the record of an input; its id is its number, from 1."""
    origin = f"inputs[{number}]"
    try:
        texts = _texts(given, {key for each in keys for key in each})
    except ValueError as error:
        return Record(number + 1, {}, number + 1, f"{origin}{error}", origin)
    return Record(number + 1, texts, number + 1, origin=origin)


def _texts(given: Any, keys: Set[str]) -> Mapping[str, str]:
    """Return the texts of an input by column name, only for these `keys`; ValueError if it is not an input."""
    if isinstance(given, Mapping):
        texts = {key: text for key, text in given.items() if key in keys}
        for key, text in texts.items():
            _check_text(text, f"[{key!r}]")
        return texts
    parts = (given,) if isinstance(given, str) else tuple(given) if isinstance(given, list | tuple) else ()
    names = {len(each): each for each in TEXTS.values()}.get(len(parts))
    if names is None:
        raise ValueError(f" is {_shown(given)}, not {HINT}")
    for part in parts:
        _check_text(part, "")
    return dict(zip(names, parts, strict=True))


def _check_text(text: object, key: str) -> None:
    if not isinstance(text, str):
        raise ValueError(f"{key} is {_shown(text)}, not a text" if key else f" holds {_shown(text)}, not a text")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
