"""Arguments of DAP requests: what is right, and what is said of the rest."""

from __future__ import annotations

from typing import Any

import pytest

from ipyext.debug.arguments import (
    ARGUMENTS,
    COLUMN,
    FLAG,
    INTEGER,
    LINE,
    TEXT,
    List,
    Object,
    Shape,
    known,
    problem,
)
from ipyext.debug.commands import FORWARDED, LOCAL, OF_STOPPED
from tests.dap_schema import NOT_IN_DAP, definition

# What front ends leave away although the schema requires it, and we do not need.
LEFT_AWAY = {
    "initialize.adapterID",
    "setExceptionBreakpoints.filters",
    "setExceptionBreakpoints.filterOptions[].filterId",
    "setExceptionBreakpoints.exceptionOptions[].breakMode",
    "setFunctionBreakpoints.breakpoints",
    "source.sourceReference",
}
# What we need although the schema does not.
NEEDED = {"setBreakpoints.source.path"}
# What newer schemas have than the one that debugpy carries.
NEWER = {"setFunctionBreakpoints.breakpoints[].logMessage"}
WRONG: dict[Shape, list[Any]] = {
    TEXT: [None, 1, 1.5, True, [], {}],
    INTEGER: [None, "x", "1", 1.5, 1.0, True, [1], {"a": 1}],
    COLUMN: [None, "x", "1", 1.5, 1.0, True, [1], {"a": 1}],
    LINE: [None, "x", "1", 1.5, 1.0, True, [1], {"a": 1}, 2**31 - 1, -(10**25)],
    FLAG: ["true", 1, 0, [], {}],
}


def right(shape: Shape) -> Any:
    """A value that is as it should be, with all that may be there."""
    if isinstance(shape, Object):
        return {name: right(inner) for name, inner in shape.fields.items()}
    if isinstance(shape, List):
        return [right(shape.of)]
    return {TEXT: "x", INTEGER: 2**50, LINE: 1, COLUMN: 1, FLAG: True}[shape]


def wrong(shape: Shape, name: str) -> list[tuple[str, Any]]:
    """Values that are wrong in one place each, with the name of that."""
    if isinstance(shape, Object):
        others = [(name, one) for one in (1, "x", [], [{}], True)]
        return others + wrong_inside(shape, f"{name}.")
    if isinstance(shape, List):
        others = [(name, one) for one in (1, "x", {}, {"a": 1}, True)]
        return others + [(place, [one]) for place, one in wrong(shape.of, f"{name}[0]")]
    return [(name, one) for one in WRONG[shape]]


def wrong_inside(shape: Object, prefix: str) -> list[tuple[str, Any]]:
    found = []
    for key, inner in shape.fields.items():
        for place, one in wrong(inner, prefix + key):
            if one is not None or key in shape.needed:
                found.append((place, {**right(shape), key: one}))
    return found


def without(shape: Object) -> list[tuple[str, Any]]:
    """Objects that lack one thing that is needed."""
    return [
        (name, {key: one for key, one in right(shape).items() if key != name})
        for name in shape.needed
    ]


@pytest.mark.parametrize("command", ARGUMENTS)
def test_every_wrong_argument_is_named(command: str) -> None:
    shape = ARGUMENTS[command]
    assert problem(command, right(shape)) is None
    for place, arguments in [*wrong_inside(shape, ""), *without(shape)]:
        found = problem(command, arguments)
        assert found is not None, arguments
        assert found.startswith(f"{command}: {place} ")


def test_what_is_said() -> None:
    assert problem("stackTrace", {"threadId": 1, "startFrame": "x"}) == (
        "stackTrace: startFrame has to be an integer, not 'x'."
    )
    assert problem("completions", {"text": "a"}) == (
        "completions: column has to be an integer, and is missing."
    )
    points = [{"line": 1}, {"line": 2, "condition": 3}]
    assert problem("setBreakpoints", {"source": {"path": "a"}, "breakpoints": points}) == (
        "setBreakpoints: breakpoints[1].condition has to be text, not 3."
    )


def test_what_may_be_there() -> None:
    """Null stands for what is left out; and there may be more than anybody reads."""
    assert problem("evaluate", {"expression": "x", "frameId": None, "line": "?"}) is None
    assert problem("setBreakpoints", {"source": {"path": "x"}, "breakpoints": None}) is None
    assert problem("threads", {"anything": 1}) is None
    assert problem("unknown", {"anything": 1}) is None


def test_what_nobody_reads_is_not_handed_on() -> None:
    deep: Any = float("nan")
    for _ in range(500):
        deep = [deep]
    odd = {"x": deep, "line": deep, "kwargs": {}, "update_ids_from_dap": 1}
    asked = {**odd, "expression": "x", "frameId": None, "format": {**odd, "hex": True}}
    assert known("evaluate", asked) == {"expression": "x", "format": {"hex": True}}
    points = [{**odd, "line": 3, "condition": None}]
    assert known("setBreakpoints", {"source": {"path": "x", **odd}, "breakpoints": points}) == {
        "source": {"path": "x"},
        "breakpoints": [{"line": 3}],
    }
    assert known("attach", odd) == odd


def test_all_that_debugpy_is_asked_is_looked_at() -> None:
    without_arguments = {"debugpySystemInfo", "inspectVariables", "threads"}
    assert {*FORWARDED, *LOCAL, *OF_STOPPED} - without_arguments <= {*ARGUMENTS}


@pytest.mark.parametrize("command", sorted({*ARGUMENTS} - NOT_IN_DAP))
def test_it_is_what_the_published_schema_says(command: str) -> None:
    name = f"{command[:1].upper()}{command[1:]}"
    published = definition(f"{'InitializeRequest' if command == 'initialize' else name}Arguments")
    like(ARGUMENTS[command], published, command)


def like(shape: Shape, published: dict[str, Any], name: str) -> None:
    if "$ref" in published:
        published = definition(published["$ref"].rpartition("/")[2])
    if isinstance(shape, List):
        assert published["type"] == "array", name
        like(shape.of, published["items"], f"{name}[]")
    elif isinstance(shape, Object):
        required = {f"{name}.{key}" for key in published.get("required", [])}
        needed = {f"{name}.{key}" for key in shape.needed}
        assert required - LEFT_AWAY <= needed
        assert needed - required <= NEEDED
        for key, inner in shape.fields.items():
            if f"{name}.{key}" not in NEWER:
                assert key in published["properties"], f"{name}.{key}"
                like(inner, published["properties"][key], f"{name}.{key}")
    else:
        kind = {TEXT: "string", FLAG: "boolean"}.get(shape, "integer")
        assert published["type"] == kind, name
