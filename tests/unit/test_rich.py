"""What richInspectVariables shows of a value: JSON, whatever people's classes give."""

from __future__ import annotations

import json
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from ipyext.debug.rich import Bundles, bundle
from ipyext.protocol import dap


def formatted(data: dict[str, Any], metadata: dict[str, Any] | None = None) -> dict[str, Any]:
    return bundle(lambda _: (data, metadata or {}), None)


class Odd(dict[str, Any]):
    def items(self) -> Any:
        raise ZeroDivisionError


ROUND: list[Any] = []
ROUND.append(ROUND)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (b"\x89PNG", "iVBORw=="),
        ({1: (2, None), "a": {3}}, {"1": [2, None], "a": [3]}),
        ([float("nan"), float("inf"), 1.5, True], ["nan", "inf", 1.5, True]),
        (list(range(5000)), list(range(5000))),
        ("x" * 100_000, "x" * 100_000),
    ],
)
def test_what_becomes_json(value: Any, shown: Any) -> None:
    found = formatted({"a/b": value}, {"a/b": value, "not/there": 1})
    assert found == {"data": {"a/b": shown}, "metadata": {"a/b": shown}}


@pytest.mark.parametrize("value", [object(), [object()], Odd(a=1), ROUND])
def test_what_is_not_json_is_left_out(value: Any) -> None:
    found = formatted({"text/plain": "x", "a/b": value}, {"text/plain": value})
    assert found == {"data": {"text/plain": "x"}, "metadata": {}}
    with pytest.raises(ValueError, match="a/b"):
        formatted({"a/b": value})


def test_a_value_that_displays_itself() -> None:
    assert formatted({}) == {"data": {}, "metadata": {}}


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers(), inner)
    ),
)


@given(VALUES)
def test_it_can_be_sent(value: Any) -> None:
    found = formatted({"a/b": value})
    assert dap.unsendable(found) is None
    assert json.loads(json.dumps(found)) == found


def test_a_bundle_is_made_where_the_value_is_and_taken_once() -> None:
    bundles = Bundles()
    key = bundles.expect(lambda value: ({"text/plain": repr(value)}, {}))
    other = bundles.expect(lambda value: ({}, {}))
    assert bundles.call(key, "x") == (
        f"__import__('ipyext.debug.rich', fromlist=['show']).show({key}, x)"
    )
    bundles.show(key, [1, 2])
    assert bundles.take(other) is None
    assert bundles.take(key) == {"data": {"text/plain": "[1, 2]"}, "metadata": {}}
    bundles.show(key, [3])  # too late
    assert bundles.take(key) is None
