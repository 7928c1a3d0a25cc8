"""What the arguments of requests have to look like. Pure.

debugpy does not look: a wrong one may end its session, which is that of all clients.

Sources: the schema of the Debug Adapter Protocol (`...Arguments`); pydevd's own schema for
setPydevdSourceMap; the Jupyter messaging documentation for what Jupyter adds. What the schema has
and nobody reads is left out, and so is what it requires although front ends leave it away.
"""

from __future__ import annotations

import reprlib
from dataclasses import dataclass, field
from typing import Any

Message = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Plain:
    """A value of JSON that is neither a list nor an object. Each is another kind."""

    kind: type
    words: str


@dataclass(frozen=True)
class Object:
    """An object. What is optional may be null; anything else may be there, too."""

    needed: dict[str, Shape]
    optional: dict[str, Shape] = field(default_factory=dict)

    @property
    def fields(self) -> dict[str, Shape]:
        return {**self.needed, **self.optional}


@dataclass(frozen=True)
class List:
    """A list, all of one shape."""

    of: Shape


Shape = Plain | Object | List

TEXT = Plain(str, "text")
INTEGER = Plain(int, "an integer")
LINE = Plain(int, "an integer of 32 bits")  # Python takes no others
FLAG = Plain(bool, "true or false")
COLUMN = Plain(int, "an integer")
_LINES = range(-(2**31), 2**31 - 1)  # one more is added for who counts from 0

_FORMAT = Object({}, {"hex": FLAG})
_STACK_FORMAT = Object(
    {},
    dict.fromkeys(
        (
            "parameters",
            "parameterTypes",
            "parameterNames",
            "parameterValues",
            "line",
            "module",
            "includeAll",
        ),
        FLAG,
    ),
)
_SOURCE = Object({}, {"name": TEXT, "path": TEXT, "sourceReference": INTEGER})
_FILE = Object({"path": TEXT}, {"name": TEXT, "sourceReference": INTEGER})
_WHEN: dict[str, Shape] = {"condition": TEXT, "hitCondition": TEXT, "logMessage": TEXT}
_BREAKPOINT = Object({"line": LINE}, {"column": COLUMN, **_WHEN})
_OPTION = Object({}, {"path": List(Object({"names": List(TEXT)})), "breakMode": TEXT})
_MAP = Object({"line": LINE, "endLine": LINE, "runtimeLine": LINE, "runtimeSource": _FILE})
_THREAD = Object({"threadId": INTEGER})
_STEP = Object({"threadId": INTEGER}, {"singleThread": FLAG, "granularity": TEXT})

ARGUMENTS: dict[str, Object] = {
    "completions": Object({"text": TEXT, "column": COLUMN}, {"frameId": INTEGER, "line": LINE}),
    "continue": Object({"threadId": INTEGER}, {"singleThread": FLAG}),
    "copyToGlobals": Object(
        {"srcVariableName": TEXT, "dstVariableName": TEXT, "srcFrameId": INTEGER}
    ),
    "dumpCell": Object({"code": TEXT}),
    "evaluate": Object(
        {"expression": TEXT}, {"frameId": INTEGER, "context": TEXT, "format": _FORMAT}
    ),
    "exceptionInfo": _THREAD,
    "goto": Object({"threadId": INTEGER, "targetId": INTEGER}),
    "gotoTargets": Object({"source": _SOURCE, "line": LINE}, {"column": COLUMN}),
    "initialize": Object({}, {"clientID": TEXT, "linesStartAt1": FLAG, "columnsStartAt1": FLAG}),
    "modules": Object({}, {"startModule": INTEGER, "moduleCount": INTEGER}),
    "next": _STEP,
    "pause": _THREAD,
    "richInspectVariables": Object({"variableName": TEXT}, {"frameId": INTEGER}),
    "scopes": Object({"frameId": INTEGER}),
    "setBreakpoints": Object(
        {"source": _FILE}, {"breakpoints": List(_BREAKPOINT), "lines": List(LINE)}
    ),
    "setExceptionBreakpoints": Object(
        {},
        {
            "filters": List(TEXT),
            "filterOptions": List(Object({}, {"filterId": TEXT, "condition": TEXT})),
            "exceptionOptions": List(_OPTION),
        },
    ),
    "setExpression": Object(
        {"expression": TEXT, "value": TEXT}, {"frameId": INTEGER, "format": _FORMAT}
    ),
    "setFunctionBreakpoints": Object({}, {"breakpoints": List(Object({"name": TEXT}, _WHEN))}),
    "setPydevdSourceMap": Object({"source": _FILE, "pydevdSourceMaps": List(_MAP)}),
    "setVariable": Object(
        {"variablesReference": INTEGER, "name": TEXT, "value": TEXT}, {"format": _FORMAT}
    ),
    "source": Object({}, {"source": _SOURCE, "sourceReference": INTEGER}),
    "stackTrace": Object(
        {"threadId": INTEGER},
        {"startFrame": INTEGER, "levels": INTEGER, "format": _STACK_FORMAT},
    ),
    "stepIn": Object(_STEP.needed, {**_STEP.optional, "targetId": INTEGER}),
    "stepInTargets": Object({"frameId": INTEGER}),
    "stepOut": _STEP,
    "variables": Object(
        {"variablesReference": INTEGER},
        {"filter": TEXT, "start": INTEGER, "count": INTEGER, "format": _FORMAT},
    ),
}


def problem(command: str, arguments: Message) -> str | None:
    """What is wrong with the arguments of a request, for its author; None if nothing is."""
    shape = ARGUMENTS.get(command)
    found = None if shape is None else _in_object(arguments, shape, "")
    return None if found is None else f"{command}: {found}."


def known(command: str, arguments: Message) -> Message:
    """The arguments, in which nothing is wrong, without nulls and what is not in their shape.

    That may be anything, also what cannot be sent on to debugpy.
    """
    shape = ARGUMENTS.get(command)
    found: Message = arguments if shape is None else _known(arguments, shape)
    return found


def _known(value: Any, shape: Shape) -> Any:
    if isinstance(shape, List):
        return [_known(one, shape.of) for one in value]
    if isinstance(shape, Object):
        return {
            key: _known(value[key], inner)
            for key, inner in shape.fields.items()
            if value.get(key) is not None
        }
    return value


def _in(value: Any, shape: Shape, name: str) -> str | None:
    if isinstance(shape, Plain):
        # A bool is an int in Python, and not in JSON.
        fits = type(value) is shape.kind and (shape is not LINE or value in _LINES)
        return None if fits else _wrong(name, shape, value)
    if isinstance(shape, Object):
        if not isinstance(value, dict):
            return _wrong(name, shape, value)
        return _in_object(value, shape, name + ".")
    if not isinstance(value, list):
        return _wrong(name, shape, value)
    faults = (_in(one, shape.of, f"{name}[{number}]") for number, one in enumerate(value))
    return next((fault for fault in faults if fault is not None), None)


def _in_object(value: Message, shape: Object, prefix: str) -> str | None:
    for key, inner in shape.fields.items():
        found = value.get(key)
        if found is None and key not in shape.needed:
            continue
        fault = _in(found, inner, prefix + key) if key in value else _missing(prefix + key, inner)
        if fault is not None:
            return fault
    return None


def _words(shape: Shape) -> str:
    if isinstance(shape, Plain):
        return shape.words
    return "an object" if isinstance(shape, Object) else "a list"


def _wrong(name: str, shape: Shape, value: Any) -> str:
    return f"{name} has to be {_words(shape)}, not {reprlib.repr(value)}"


def _missing(name: str, shape: Shape) -> str:
    return f"{name} has to be {_words(shape)}, and is missing"
