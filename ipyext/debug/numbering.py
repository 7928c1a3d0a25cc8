"""Lines and columns as a client counts them. Pure.

debugpy counts from 1 whatever `initialize` says, and so does everything here.
"""

from __future__ import annotations

from typing import Any

from ipyext.debug.arguments import ARGUMENTS, COLUMN, LINE, List, Object, Plain, Shape

Message = dict[str, Any]

_PLACE = Object({}, {"line": LINE, "column": COLUMN, "endLine": LINE, "endColumn": COLUMN})
_BREAKPOINTS = Object({}, {"breakpoints": List(_PLACE)})
_TARGETS = Object({}, {"targets": List(_PLACE)})

# Where they are in bodies of responses. That of completions has debugpy's `start`, which counts
# from 0 for everybody.
BODIES: dict[str, Object] = {
    "debugInfo": Object({}, {"breakpoints": List(_BREAKPOINTS)}),
    "gotoTargets": _TARGETS,
    "scopes": Object({}, {"scopes": List(_PLACE)}),
    "setBreakpoints": _BREAKPOINTS,
    "setExceptionBreakpoints": _BREAKPOINTS,
    "setFunctionBreakpoints": _BREAKPOINTS,
    "stackTrace": Object({}, {"stackFrames": List(_PLACE)}),
    "stepInTargets": _TARGETS,
}
EVENTS: dict[str, Object] = {"breakpoint": Object({}, {"breakpoint": _PLACE}), "output": _PLACE}


class Numbering:
    """How one client counts (`linesStartAt1` and `columnsStartAt1` of initialize)."""

    def __init__(self, lines_from_1: bool = True, columns_from_1: bool = True) -> None:
        self._steps: dict[Plain, int] = {LINE: not lines_from_1, COLUMN: not columns_from_1}
        self._back = {kind: -step for kind, step in self._steps.items()}

    def arguments(self, command: str, arguments: Message) -> Message:
        """The arguments of its request, as we count."""
        return self._moved(arguments, ARGUMENTS.get(command), self._steps)

    def body(self, command: str, body: Message) -> Message:
        """The body of its response, as it counts."""
        return self._moved(body, BODIES.get(command), self._back)

    def event(self, name: str, body: Message) -> Message:
        """The body of an event, as it counts."""
        return self._moved(body, EVENTS.get(name), self._back)

    def _moved(self, value: Message, shape: Shape | None, steps: dict[Plain, int]) -> Message:
        if shape is None or not any(steps.values()):
            return value
        found: Message = _moved(value, shape, steps)
        return found


def _moved(value: Any, shape: Shape, steps: dict[Plain, int]) -> Any:
    if isinstance(shape, List) and isinstance(value, list):
        return [_moved(one, shape.of, steps) for one in value]
    if isinstance(shape, Object) and isinstance(value, dict):
        inside = {key: inner for key, inner in shape.fields.items() if key in value}
        return {**value, **{key: _moved(value[key], inside[key], steps) for key in inside}}
    if isinstance(shape, Plain) and steps.get(shape) and type(value) is int:
        return max(value + steps[shape], 0)  # 0 stands for no line
    return value
