"""Breakpoints of several clients at one place, decided where somebody comes by."""

from __future__ import annotations

import itertools
import threading
from typing import Any

import pytest

from ipyext.debug import hits
from ipyext.debug.breakpoints import Breakpoint
from ipyext.debug.hits import Places, filled, never, reached

_ids = itertools.count(1)


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch) -> Places:
    """Ours, and those that conditions ask."""
    found = Places()
    monkeypatch.setattr(hits, "hit", found.hit)
    return found


@pytest.fixture
def said(places: Places) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    places.spoken = lambda: found.extend(places.said().items())
    return found


def point(client: int = 1, **wanted: Any) -> Breakpoint:
    return Breakpoint(next(_ids), client, {"line": 3, **wanted})


def come_by(condition: str, **names: Any) -> bool:
    """As debugpy does, with the names of a frame."""
    return bool(eval(condition, {"x": 1}, names))


def test_each_client_has_its_condition(places: Places, said: list[tuple[int, str]]) -> None:
    condition = places.condition([point(1, condition="x == 2"), point(2, condition=" x == 3")])
    assert [come_by(condition, x=value) for value in (1, 2, 3, 4)] == [False, True, True, False]
    assert not come_by(condition)  # the global one
    assert said == []


def test_a_plain_one_stops_always_and_the_others_count(
    places: Places, said: list[tuple[int, str]]
) -> None:
    condition = places.condition([point(1), point(2, logMessage="x is {x}")])
    assert come_by(condition, x=5)
    assert said == [(2, "x is 5\n")]


def test_who_did_not_want_a_stop(places: Places, said: list[tuple[int, str]]) -> None:
    always, some, logs = point(1), point(2, condition="x > 5"), point(3, logMessage="{x}")
    condition = places.condition([always, some, logs])
    here = threading.get_ident()
    assert places.turned_down(here) == set()
    assert come_by(condition, x=5)
    assert places.turned_down(here) == {some.id, logs.id}
    assert places.turned_down(here) == set()  # of the next stop nothing is known yet
    assert come_by(condition, x=6)
    assert places.turned_down(here + 1) == set()
    assert places.turned_down(here) == {logs.id}
    never = places.condition([some, logs])
    assert not come_by(never, x=1)
    assert places.turned_down(here) == set()


def test_each_client_counts_for_itself(places: Places, said: list[tuple[int, str]]) -> None:
    odd = point(1, condition="x % 2", hitCondition="2")
    third = point(2, hitCondition="% 3")
    condition = places.condition([odd, third])
    stops = [value for value in range(1, 10) if come_by(condition, x=value)]
    assert stops == [3, 6, 9]
    again = point(1, condition="x % 2", hitCondition="2")
    assert [v for v in range(1, 5) if come_by(places.condition([again]), x=v)] == [3]


def test_counts_go_on_when_the_neighbours_change(places: Places) -> None:
    counted = point(1, hitCondition="3")
    first = places.condition([counted, point(2, condition="False")])
    assert [come_by(first), come_by(first)] == [False, False]
    second = places.condition([counted, point(3, condition="False")])
    assert second != first
    assert come_by(second)
    assert not come_by(second)


def test_the_same_place_has_one_condition(places: Places) -> None:
    owners = [point(1, condition="x"), point(2, condition="y")]
    assert len({places.condition(list(owners)) for _ in range(100)}) == 1


def test_log_messages(places: Places, said: list[tuple[int, str]]) -> None:
    condition = places.condition(
        [
            point(1, logMessage="a {x} {len(s)}"),
            point(2, logMessage="b", condition="x > 1"),
            point(3, logMessage="c", hitCondition="2"),
        ]
    )
    assert not come_by(condition, x=1, s="ab")
    assert not come_by(condition, x=2, s="")
    assert said == [(1, "a 1 2\n"), (1, "a 2 0\n"), (2, "b\n"), (3, "c\n")]


@pytest.mark.parametrize(
    ("wanted", "word"),
    [
        ({"condition": "1 / 0"}, "ZeroDivisionError"),
        ({"condition": "nothing"}, "NameError"),
        ({"condition": "x ="}, "SyntaxError"),
        ({"condition": "\0"}, "Error"),
        ({"hitCondition": "often"}, "no hit condition"),
        ({"hitCondition": ">= 1" + "0" * 5000}, "ValueError"),
    ],
)
def test_an_error_is_told_to_its_client_and_stops_nobody(
    places: Places, said: list[tuple[int, str]], wanted: dict[str, Any], word: str
) -> None:
    condition = places.condition([point(1, **wanted), point(2, condition="x == 2")])
    assert not come_by(condition, x=1)
    assert come_by(condition, x=2)
    assert [client for client, _ in said] == [1, 1]
    assert word in said[0][1]
    assert said[0][1].endswith("\n")


def test_an_interrupt_goes_through(places: Places) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    condition = places.condition([point(1, condition="f()"), point(2, condition="False")])
    with pytest.raises(KeyboardInterrupt):
        come_by(condition, f=interrupted)


def test_nobody_asks_any_more(places: Places) -> None:
    owners = [point(1, hitCondition="2"), point(2, condition="False")]
    before = places.condition(owners)
    assert not come_by(before)
    places.clear()
    assert not come_by(before)
    after = places.condition(owners)
    assert after != before
    assert [come_by(after), come_by(after)] == [False, True]


@pytest.mark.parametrize(
    ("condition", "counts"),
    [
        ("3", [3]),
        (" == 3 ", [3]),
        (">3", [4, 5, 6]),
        (">= 3", [3, 4, 5, 6]),
        ("< 3", [1, 2]),
        ("<=3", [1, 2, 3]),
        ("%3", [3, 6]),
        ("% 0", []),
        ("0", []),
    ],
)
def test_hit_conditions(condition: str, counts: list[int]) -> None:
    assert [count for count in range(1, 7) if reached(condition, count)] == counts


@pytest.mark.parametrize("condition", ["", "x", "-1", "1.5", "= 3", "3 3", "!= 3", "1e3"])
def test_no_hit_conditions(condition: str) -> None:
    with pytest.raises(ValueError, match="use for example"):
        reached(condition, 1)


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("nothing to fill", "nothing to fill"),
        ("{x} and {y + 1}", "1 and 3"),
        ("{d['k']}", "v"),
        ("{missing}", "{missing: NameError: name 'missing' is not defined}"),
        ("{1 / 0} {x}", "{1 / 0: ZeroDivisionError: division by zero} 1"),
        ("{", "{"),
        ("}{", "}{"),
    ],
)
def test_filled(message: str, text: str) -> None:
    assert filled(message, {"x": 1}, {"y": 2, "d": {"k": "v"}}) == text


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("", ""),
        ("plain", "plain"),
        ("{x}{x}", "11"),
        ("{ x } and {s!r}", "1 and {s!r: SyntaxError: invalid syntax}"),
        ("{ {'a': {x: 2}}['a'] } left", "{1: 2} left"),
        ("{ {1, 2} & {x} }", "{1}"),
        ("} { x", "} { x"),
        ("{x} {", "1 {"),
        ("{}", "{: SyntaxError: invalid syntax}"),
        ("{y}", "{y: NameError: name 'y' is not defined}"),
    ],
)
def test_braces(message: str, expected: str) -> None:
    assert filled(message, {"x": 1, "s": "s"}, {}) == expected


def test_messages_come_together(places: Places) -> None:
    told = []
    places.spoken = lambda: told.append(1)
    condition = places.condition([point(1, logMessage="{x}"), point(2, logMessage="b")])
    for value in range(3):
        come_by(condition, x=value)
    assert told == [1]
    assert places.said() == {1: "0\n1\n2\n", 2: "b\nb\nb\n"}
    assert places.said() == {}
    come_by(condition, x=3)
    assert told == [1, 1]


def test_an_interrupt_ends_a_message_and_the_next_is_told(places: Places) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    condition = places.condition([point(1, logMessage="{f()}")])
    with pytest.raises(KeyboardInterrupt):
        come_by(condition, f=interrupted)
    places.spoken = interrupted
    with pytest.raises(KeyboardInterrupt):
        come_by(condition, f=lambda: 1)
    told = []
    places.spoken = lambda: told.append(1)
    come_by(condition, f=lambda: 2)
    assert told
    assert places.said() == {1: "1\n2\n"}


@pytest.mark.parametrize("condition", ["0", "== 0", "<1", "<= 0", "% 0", " < 0 "])
def test_conditions_that_never_hold(condition: str) -> None:
    assert never(condition)


@pytest.mark.parametrize("condition", ["1", "== 7", "< 2", "<= 1", "% 3", "> 0", ">= 0", "> 9"])
def test_conditions_that_hold_some_time(condition: str) -> None:
    assert not never(condition)
    with pytest.raises(ValueError, match="no hit condition"):
        never(f"{condition} times")
