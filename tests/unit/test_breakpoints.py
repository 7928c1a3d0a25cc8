"""Breakpoints of several clients, merged for one debugger and split again."""

from __future__ import annotations

from typing import Any

import pytest

from ipyext.debug.breakpoints import Breakpoint, Breakpoints, Merged

A, B, C = 1, 2, 3
FILE = "/cells/1.py"


def decide(owners: list[Breakpoint]) -> str:
    return "one of " + " ".join(f"{one.client}:{one.wanted}" for one in owners)


@pytest.fixture
def all_() -> Breakpoints:
    return Breakpoints(decide)


def line(number: int, **more: str) -> dict[str, Any]:
    return {"line": number, **more}


def answer(merged: Merged, first: int, shift: int = 0) -> list[dict[str, Any]]:
    return [
        {"id": first + at, "verified": True, "line": one.get("line", 1) + shift}
        for at, one in enumerate(merged.wanted)
    ]


# -- identity ----------------------------------------------------------------------------------


def test_ids_stay_as_long_as_the_same_is_wanted(all_: Breakpoints) -> None:
    first = all_.set_source(A, FILE, [line(3), line(5, condition="x")])
    again = all_.set_source(A, FILE, [line(5, condition="x"), line(7), line(3)])
    assert [again[2], again[0]] == first
    assert again[1].id not in {one.id for one in first}
    changed = all_.set_source(A, FILE, [line(5, condition="y"), line(3)])
    assert changed[0].id not in {one.id for one in (*first, *again)}
    assert changed[1] is first[0]


def test_an_id_is_never_used_again(all_: Breakpoints) -> None:
    (first,) = all_.set_source(A, FILE, [line(3)])
    all_.set_source(A, FILE, [])
    (second,) = all_.set_source(A, FILE, [line(3)])
    (third,) = all_.set_source(B, FILE, [line(3)])
    (fourth,) = all_.set_functions(A, [{"name": "f"}])
    assert len({first.id, second.id, third.id, fourth.id}) == 4


def test_the_same_twice_is_two(all_: Breakpoints) -> None:
    first, second = all_.set_source(A, FILE, [line(3), line(3)])
    assert first is not second
    assert all_.in_source(FILE).wanted == [line(3)]
    assert all_.set_source(A, FILE, [line(3)]) == [first]


def test_a_null_is_like_nothing(all_: Breakpoints) -> None:
    (first,) = all_.set_source(A, FILE, [{"line": 3, "condition": None}])
    assert all_.set_source(A, FILE, [line(3)]) == [first]


def test_the_client_may_change_its_message(all_: Breakpoints) -> None:
    wanted = line(3)
    (one,) = all_.set_source(A, FILE, [wanted])
    wanted["line"] = 4
    assert one.place == 3


# -- merging -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wishes", "merged"),
    [
        # alone, or all the same: as it is
        ([line(3)], line(3)),
        ([line(3, column=2)], line(3, column=2)),
        ([line(3)] * 3, line(3)),
        # conditions are asked for here: an interrupt of one would end debugpy's tracing
        ([line(3, condition="x", column=2)], None),
        ([line(3, hitCondition=">2")], None),
        ([line(3, condition="x")] * 3, None),
        # all want every stop
        ([line(3), line(3, column=4)], line(3)),
        ([line(3, condition=""), line(3)], line(3)),
        # whose stop it is shall be known, also where one of them stops always
        ([line(3), line(3, condition="x")], None),
        ([line(3, condition="x"), line(3), line(3, condition="y")], None),
        # messages are said here
        ([line(3, logMessage="{x}")], None),
        ([line(3, logMessage="{x}")] * 2, None),  # to each of them
        # conflicts
        ([line(3, condition="x"), line(3, condition="y")], None),
        ([line(3), line(3, logMessage="x")], None),  # the message is wanted too
        ([line(3), line(3, hitCondition="2")], None),  # it counts for later
        ([line(3, condition="x"), line(3, condition="x", hitCondition="2")], None),
    ],
)
def test_one_line(
    all_: Breakpoints, wishes: list[dict[str, Any]], merged: dict[str, Any] | None
) -> None:
    owners = [all_.set_source(client, FILE, [w])[0] for client, w in enumerate(wishes, 1)]
    found = all_.in_source(FILE)
    expected = {"line": 3, "condition": decide(owners)} if merged is None else merged
    assert found.wanted == [expected]
    assert found.owners == [owners]


def test_other_files_and_lines_are_left_alone(all_: Breakpoints) -> None:
    all_.set_source(A, FILE, [line(1), line(2, condition="a")])
    all_.set_source(B, FILE, [line(2, condition="b"), line(3)])
    all_.set_source(B, "/other.py", [line(2)])
    assert [one["line"] for one in all_.in_source(FILE).wanted] == [1, 2, 3]
    assert all_.in_source("/other.py").wanted == [line(2)]
    assert all_.in_source("/unknown.py").wanted == []
    assert set(all_.paths()) == {FILE, "/other.py"}
    all_.set_source(B, "/other.py", [])
    assert all_.paths() == [FILE]


def test_functions(all_: Breakpoints) -> None:
    assert not all_.any_functions
    (a,) = all_.set_functions(A, [{"name": "f", "condition": "x"}])
    b, other = all_.set_functions(B, [{"name": "f", "condition": "y"}, {"name": "g"}])
    assert all_.any_functions
    assert all_.in_functions().wanted == [
        {"name": "f", "condition": decide([a, b])},
        {"name": "g"},
    ]
    assert all_.set_functions(B, [{"name": "g"}]) == [other]
    assert all_.in_functions().wanted == [{"name": "f", "condition": decide([a])}, {"name": "g"}]
    all_.set_functions(A, [])
    all_.set_functions(B, [])
    assert not all_.any_functions


def option(mode: str, *names: str) -> dict[str, Any]:
    path = [{"names": ["Python Exceptions"]}, *([{"names": list(names)}] if names else [])]
    return {"path": path, "breakMode": mode}


@pytest.mark.parametrize(
    ("wishes", "merged"),
    [
        ([], {"filters": []}),
        ([{}], {"filters": []}),
        ([{"filters": None}], {"filters": []}),
        ([{"filters": ["raised"]}, {"filters": ["uncaught"]}], {"filters": ["raised", "uncaught"]}),
        ([{"filters": ["raised", "nonsense"]}], {"filters": ["raised"]}),
        ([{"filters": [], "filterOptions": [{"filterId": "raised"}]}], {"filters": ["raised"]}),
        (
            [{"filters": [], "exceptionOptions": [option("always", "KeyError", "OSError")]}],
            {
                "filters": [],
                "exceptionOptions": [option("always", "KeyError"), option("always", "OSError")],
            },
        ),
        (  # the union serves all
            [
                {"filters": [], "exceptionOptions": [option("unhandled", "KeyError")]},
                {"filters": [], "exceptionOptions": [option("always", "KeyError")]},
                {"filters": ["uncaught"]},
            ],
            {
                "filters": [],
                "exceptionOptions": [option("always", "KeyError"), option("unhandled")],
            },
        ),
        (  # the strongest filter counts
            [
                {"filters": ["uncaught", "raised"]},
                {"filters": [], "exceptionOptions": [option("userUnhandled")]},
            ],
            {"filters": [], "exceptionOptions": [option("always")]},
        ),
        ([{"filters": [], "exceptionOptions": [option("never")]}], {"filters": []}),
        (  # of another language
            [{"exceptionOptions": [{"path": [{"names": ["C++"]}], "breakMode": "always"}]}],
            {"filters": []},
        ),
        (
            [{"exceptionOptions": [{"breakMode": "always"}]}],
            {"filters": [], "exceptionOptions": [option("always")]},
        ),
    ],
)
def test_exceptions(
    all_: Breakpoints, wishes: list[dict[str, Any]], merged: dict[str, Any]
) -> None:
    for client, wanted in enumerate(wishes):
        all_.set_exceptions(client, wanted)
    assert all_.exceptions() == merged
    for client in range(len(wishes)):
        all_.forget(client)
    assert all_.exceptions() == {"filters": []}


# -- coming and going --------------------------------------------------------------------------


def test_forget(all_: Breakpoints) -> None:
    all_.set_source(A, FILE, [line(3), line(4)])
    all_.set_source(B, FILE, [line(3)])
    all_.set_source(B, "/other.py", [line(3)])
    all_.set_functions(A, [{"name": "f"}])
    all_.set_exceptions(A, {"filters": ["raised"]})
    assert all_.forget(A) == ([FILE], True, True)
    assert all_.forget(A) == ([], False, False)
    assert all_.forget(C) == ([], False, False)
    assert all_.of(A) == {}
    assert all_.in_source(FILE).wanted == [line(3)]
    assert not all_.any_functions
    assert all_.exceptions() == {"filters": []}


def test_give(all_: Breakpoints) -> None:
    (old,) = all_.set_source(A, FILE, [line(3, condition="x")])
    (own,) = all_.set_source(B, FILE, [line(4)])
    (function,) = all_.set_functions(A, [{"name": "f"}])
    all_.set_exceptions(A, {"filters": ["raised"]})
    all_.give(A, B)
    assert all_.of(A) == {}
    assert all_.of(B) == {FILE: [own, old]}
    assert {old.client, function.client} == {B}
    assert all_.exceptions() == {"filters": ["raised"]}
    # and they keep their identity when the new owner asks for the same
    assert all_.set_source(B, FILE, [line(3, condition="x")]) == [old]
    assert all_.set_functions(B, [{"name": "f"}]) == [function]


def test_give_does_not_overrule_what_the_new_one_wants(all_: Breakpoints) -> None:
    all_.set_exceptions(A, {"filters": ["raised"]})
    all_.set_exceptions(B, {"filters": ["uncaught"]})
    all_.give(A, B)
    assert all_.exceptions() == {"filters": ["uncaught"]}
    all_.forget(B)
    assert all_.exceptions() == {"filters": []}


def test_drop(all_: Breakpoints) -> None:
    kept, gone = all_.set_source(A, FILE, [line(3), line(4)])
    (hidden,) = all_.set_source(B, FILE, [line(4)])
    (elsewhere,) = all_.set_source(A, "/other.py", [line(4)])
    ids = {kept.id, gone.id, elsewhere.id}
    assert all_.drop(FILE, ids, [3]) == [gone]
    assert all_.of(A) == {FILE: [kept], "/other.py": [elsewhere]}
    assert all_.of(B) == {FILE: [hidden]}
    assert all_.drop("/unknown.py", ids, []) == []
    assert all_.drop(FILE, ids, []) == [kept]
    assert all_.of(A) == {"/other.py": [elsewhere]}


def test_drop_knows_the_line_that_the_debugger_chose(all_: Breakpoints) -> None:
    (moved,) = all_.set_source(A, FILE, [line(3)])
    merged = all_.in_source(FILE)
    all_.answered(merged, answer(merged, 1, shift=1))
    assert moved.line == 4
    assert all_.drop(FILE, {moved.id}, [4]) == []
    assert all_.drop(FILE, {moved.id}, [5]) == [moved]


# -- answers -----------------------------------------------------------------------------------


def test_answers_are_split(all_: Breakpoints) -> None:
    a3, a4 = all_.set_source(A, FILE, [line(3), line(4)])
    (b3,) = all_.set_source(B, FILE, [line(3)])
    merged = all_.in_source(FILE)
    assert all_.answered(merged, answer(merged, 10, shift=1)) == [a3, b3, a4]
    assert a3.shown == {"id": a3.id, "verified": True, "line": 4}
    assert b3.shown == {"id": b3.id, "verified": True, "line": 4}
    assert all_.behind([10]) == [a3, b3]
    assert all_.behind([11, 99]) == [a4]
    assert all_.answered(merged, answer(merged, 10, shift=1)) == []  # nothing new


def test_an_event_changes_all_of_a_line(all_: Breakpoints) -> None:
    (a,) = all_.set_source(A, FILE, [line(3)])
    (b,) = all_.set_source(B, FILE, [line(3)])
    merged = all_.in_source(FILE)
    all_.answered(merged, answer(merged, 10))
    assert all_.event({"id": 10, "verified": False, "message": "no code"}) == [a, b]
    assert a.shown == {"id": a.id, "verified": False, "message": "no code"}
    assert all_.event({"id": 11, "verified": True}) == []
    assert all_.event({"verified": True}) == []


def test_ids_of_what_was_set_before_mean_nothing(all_: Breakpoints) -> None:
    (a,) = all_.set_source(A, FILE, [line(3)])
    before = all_.in_source(FILE)
    all_.answered(before, answer(before, 10))
    all_.set_source(A, "/other.py", [line(3)])
    other = all_.in_source("/other.py")
    all_.answered(other, answer(other, 11))
    all_.set_source(B, FILE, [line(5)])
    after = all_.in_source(FILE)
    all_.answered(after, answer(after, 12))
    assert all_.behind([10]) == []
    assert all_.event({"id": 10, "verified": False}) == []
    assert [one.client for one in all_.behind([11, 12, 13])] == [A, A, B]
    assert a.state["verified"]


def test_an_answer_that_was_overtaken_counts_for_nothing(all_: Breakpoints) -> None:
    (a,) = all_.set_source(A, FILE, [line(3)])
    before = all_.in_source(FILE)
    all_.set_source(B, FILE, [line(5)])
    after = all_.in_source(FILE)
    all_.answered(after, answer(after, 12, shift=1))
    assert all_.answered(before, answer(before, 10)) == []
    assert a.line == 4
    assert all_.behind([10]) == []
    assert all_.behind([12]) == [a]


def test_what_was_taken_back_is_not_told_of(all_: Breakpoints) -> None:
    all_.set_source(A, FILE, [line(3)])
    (b,) = all_.set_source(B, FILE, [line(3)])
    all_.set_functions(A, [{"name": "f"}])
    merged, functions = all_.in_source(FILE), all_.in_functions()
    all_.answered(merged, answer(merged, 10))
    all_.answered(functions, answer(functions, 11))
    all_.forget(A)
    assert all_.behind([10, 11]) == [b]
    assert all_.event({"id": 10, "verified": False}) == [b]
    assert all_.event({"id": 11, "verified": False}) == []


def test_a_failed_answer_leaves_things_as_they_are(all_: Breakpoints) -> None:
    (a,) = all_.set_source(A, FILE, [line(3)])
    merged = all_.in_source(FILE)
    all_.answered(merged, answer(merged, 10))
    assert all_.answered(all_.in_source(FILE), []) == []
    assert all_.behind([10]) == [a]
    assert a.state["verified"]
    assert all_.answered(merged, [{"verified": True, "line": 3}]) == []  # without a number


def test_another_debugger_counts_anew(all_: Breakpoints) -> None:
    (a,) = all_.set_source(A, FILE, [line(3)])
    merged = all_.in_source(FILE)
    all_.answered(merged, answer(merged, 10))
    all_.debugger_gone()
    assert all_.behind([10]) == []
    assert all_.of(A) == {FILE: [a]}
