"""Examples in columns are the examples that were put in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtft.data.example import Example
from mtft.data.examples import Examples

origins = st.sampled_from(["a.csv:1", "a.csv:02", "b:7", "b:x", "b", ":3", "", "c:", f"a:{10**20}", "é:-1", "d:٣"])
rows = st.lists(
    st.builds(
        Example,
        id=st.text(max_size=3),
        texts=st.tuples(st.text(max_size=5), st.text(max_size=5)),
        target=st.none() | st.integers(0, 9) | st.floats(allow_nan=False, allow_infinity=False),
        origin=origins | st.integers(1, 10**6).map("x.csv:{}".format),
        numbered=st.booleans(),
    ),
    max_size=8,
)


@settings(max_examples=80, deadline=None)
@given(rows, st.data())
def test_examples_are_those_that_were_put_in(given: list[Example], data: st.DataObject) -> None:
    found = Examples(given)
    assert list(found) == given
    assert found[::-1] == given[::-1]
    assert list(found.keys) == [row.key for row in given]
    assert list(found.ids) == [row.id for row in given]
    assert list(found.all_texts()) == [row.texts for row in given]
    assert found.labelled.tolist() == [row.target is not None for row in given]
    assert found.targets[found.labelled].tolist() == [row.target for row in given if row.target is not None]
    assert list(found.origins(np.arange(len(given)))) == [row.origin for row in given]
    chosen = data.draw(st.lists(st.booleans(), min_size=len(given), max_size=len(given)))
    kept = [row for row, own in zip(given, chosen, strict=True) if own]
    assert list(found.where(np.array(chosen, np.bool_))) == kept
    count = data.draw(st.integers(0, len(given)))
    found.cut(count)
    assert list(found) == given[:count]
    found.append(given[0] if given else Example("1", ("a", "b"), None, "f:1"))
    assert len(found) == count + 1


def test_equal_texts_in_equal_rows_have_equal_digests() -> None:
    row = Example("1", ("a", "b"), 1.0, "f:1")
    digest = Examples([row]).digest_of_texts()
    assert Examples([replace(row, id="2", target=None, origin="g:9")]).digest_of_texts() == digest
    assert Examples([replace(row, texts=("b", "a"))]).digest_of_texts() != digest
    assert Examples([replace(row, texts=("a",)), replace(row, texts=("b",))]).digest_of_texts() != digest


def test_rows_have_one_number_of_texts() -> None:
    with pytest.raises(ValueError, match="an example of 1 texts among examples of 2"):
        Examples([Example("1", ("a", "b"), 1.0, "f:1"), Example("2", ("a",), 1.0, "f:2")])
