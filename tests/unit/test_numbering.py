"""Clients that count lines or columns from 0."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from ipyext.debug.arguments import ARGUMENTS, COLUMN, FLAG, LINE, TEXT, List, Object, Plain, Shape
from ipyext.debug.numbering import BODIES, EVENTS, Numbering
from tests.dap_schema import NOT_IN_DAP, definition
from tests.fake_debugpy import Client, World

FILE = "/cells/1.py"
PLACES = {"line", "endLine", "column", "endColumn"}


# -- values ------------------------------------------------------------------------------------


def values(shape: Shape) -> st.SearchStrategy[Any]:
    """What is of that shape, and more."""
    if isinstance(shape, List):
        return st.lists(values(shape.of), max_size=3)
    if isinstance(shape, Object):
        more: dict[str, st.SearchStrategy[Any]] = {"more": st.just({"line": 1, "column": 1})}
        fields = {key: values(inner) for key, inner in shape.fields.items()}
        return st.fixed_dictionaries({}, optional={**more, **fields})
    return {TEXT: st.text(), FLAG: st.booleans()}.get(shape, st.integers(0, 99))


def difference(found: Any, asked: Any, shape: Any, kind: Plain | None = None) -> set[Any]:
    """What was added to integers of a kind, or to all that is no such integer (None)."""
    if isinstance(asked, list):
        inner = shape.of if isinstance(shape, List) else None
        assert len(found) == len(asked)
        pairs = zip(found, asked, strict=True)
        return set().union(*(difference(one, other, inner, kind) for one, other in pairs))
    if isinstance(asked, dict):
        inners = shape.fields if isinstance(shape, Object) else {}
        assert found.keys() == asked.keys()
        parts = (difference(found[key], asked[key], inners.get(key), kind) for key in asked)
        return set().union(*parts)
    if shape is kind or (kind is None and shape not in (LINE, COLUMN)):
        return {found - asked} if type(asked) is int else {0 if found == asked else None}
    return set()


@pytest.mark.parametrize("command", sorted(ARGUMENTS))
@settings(deadline=None, max_examples=25)
@given(data=st.data(), lines=st.booleans(), columns=st.booleans())
def test_arguments(command: str, data: st.DataObject, lines: bool, columns: bool) -> None:
    shape = ARGUMENTS[command]
    asked = data.draw(values(shape))
    found = Numbering(lines, columns).arguments(command, asked)
    assert difference(found, asked, shape, LINE) <= {0 if lines else 1}
    assert difference(found, asked, shape, COLUMN) <= {0 if columns else 1}
    assert difference(found, asked, shape) <= {0}


@pytest.mark.parametrize("name", sorted({*BODIES, *EVENTS}))
@settings(deadline=None, max_examples=25)
@given(data=st.data(), lines=st.booleans(), columns=st.booleans())
def test_what_comes_back(name: str, data: st.DataObject, lines: bool, columns: bool) -> None:
    """It is what the client would send for the same place."""
    numbering = Numbering(lines, columns)
    shape = BODIES.get(name) or EVENTS[name]
    theirs = data.draw(values(shape))
    ours = Numbering()._moved(theirs, shape, numbering._steps)
    back = numbering.body if name in BODIES else numbering.event
    assert back(name, ours) == theirs


def test_no_line_stays_none() -> None:
    body = {"stackFrames": [{"id": 1, "line": 0, "column": 0, "endLine": None}]}
    assert Numbering(False, False).body("stackTrace", body) == body


def test_what_else_is_called_a_line() -> None:
    data = {"data": {"application/json": {"line": 1, "column": 1}}}
    assert Numbering(False, False).body("richInspectVariables", data) == data


def test_all_places_of_the_protocol_are_known() -> None:
    for command in sorted({*ARGUMENTS, *BODIES} - NOT_IN_DAP):
        name = f"{command[:1].upper()}{command[1:]}Response"
        places(definition(name)["properties"].get("body", {}), BODIES.get(command), name)
    for event, shape in EVENTS.items():
        name = f"{event[:1].upper()}{event[1:]}Event"
        places(definition(name)["properties"]["body"], shape, name)


def places(published: dict[str, Any], shape: Any, name: str) -> None:
    kind = published.get("$ref", "").rpartition("/")[2]
    if kind in ("Source", "ExceptionDetails"):  # they hold others of their kind, and no places
        return
    if kind:
        published = definition(kind)
    if published.get("type") == "array":
        places(published["items"], shape.of if isinstance(shape, List) else None, name)
    for key, inner in published.get("properties", {}).items():
        known = shape.fields.get(key) if isinstance(shape, Object) else None
        assert known is not None or key not in PLACES, f"{name}: {key}"
        places(inner, known, name)


# -- clients -----------------------------------------------------------------------------------


def counting(world: World, *, jupyter: bool) -> Client:
    """One that counts from 0, and debugs."""
    client = world.connect(jupyter=jupyter)
    zero = {"linesStartAt1": False, "columnsStartAt1": False}
    client.do("initialize", clientID="emacs", **zero)
    client.begin("attach")
    world.start()
    client.do("configurationDone")
    return client


@pytest.mark.parametrize("jupyter", [True, False])
def test_each_client_counts_as_it_does(world: World, lab: Client, jupyter: bool) -> None:
    zero = counting(world, jupyter=jupyter)
    (point,) = zero.set(FILE, {"line": 2, "column": 4})
    assert world.debugpy.sources[FILE] == [{"line": 3, "column": 5}]
    assert point["line"] == 2
    (same,) = lab.set(FILE, 3)
    assert same["line"] == 3
    ids = world.debugpy.ids[FILE]
    for client in (lab, zero):
        client.forget()
    moved = {"id": ids[0], "verified": True, "line": 4}
    world.debugpy.event("breakpoint", reason="changed", breakpoint=moved)
    told = [body["breakpoint"] for body in zero.events("breakpoint")]
    assert {"id": point["id"], "verified": True, "line": 3} in told
    assert {"id": same["id"], "verified": True, "line": 4} in [
        body["breakpoint"] for body in lab.events("breakpoint")
    ]
    world.stop(7, *ids)
    for client, line in ((lab, 4), (zero, 3)):
        seq = client.begin("stackTrace", threadId=7)
        frame = {"id": 1, "name": "f", "line": 4, "column": 1}
        world.debugpy.answer("stackTrace", stackFrames=[frame])
        response = client.response(seq)
        assert response is not None
        assert response["body"]["stackFrames"][0]["line"] == line
    zero.do("completions", text="ab", column=2, line=0)
    assert world.debugpy.last("completions") == {"text": "ab", "column": 3, "line": 1}
    zero.do("setBreakpoints", source={"path": FILE}, lines=[0])
    assert {one["line"] for one in world.debugpy.sources[FILE]} == {1, 3}


def test_a_notebook_that_counts_from_0_is_shown_its_breakpoints(world: World) -> None:
    zero = counting(world, jupyter=True)
    zero.set(FILE, 2)
    shown = zero.do("debugInfo")["breakpoints"]
    assert shown == [{"source": FILE, "breakpoints": [{"line": 2}]}]
