"""Breakpoints and steps in loops that are on one line: the debugger sees their first round only.

No line begins there: `while not done: sleep(1)` is one line event from Python 3.13 on, and up to
Python 3.11 `while True: pass` is one instruction that jumps to itself.
"""

from __future__ import annotations

import dis
import functools
import sys
import threading
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

Round = Callable[[FrameType], bool]

_TOOLS = (3, 4)  # of sys.monitoring, those that nobody has reserved


class _Jumps:
    """Python 3.13 on: jumps within a line."""

    def __init__(self, next_round: Round) -> None:
        self._next_round = next_round
        self._monitoring: Any = sys.monitoring  # type: ignore[attr-defined,unused-ignore]
        self._tool: int | None = None
        self._lines: dict[
            int, tuple[CodeType, dict[int, int | None]]
        ] = {}  # by id: equal codes differ
        self._lock = threading.Lock()

    def watch(self, frame: FrameType) -> None:
        monitoring, code = self._monitoring, frame.f_code
        with self._lock:
            if id(code) in self._lines:
                return
            if self._tool is None:
                self._tool = next((n for n in _TOOLS if monitoring.get_tool(n) is None), None)
                if self._tool is None:
                    return
                monitoring.use_tool_id(self._tool, "ipyext")
                monitoring.register_callback(self._tool, monitoring.events.JUMP, self._jump)
            lines: dict[int, int | None] = {}
            for start, end, line in code.co_lines():
                lines.update(dict.fromkeys(range(start, end, 2), line))
            self._lines[id(code)] = code, lines
            monitoring.set_local_events(self._tool, code, monitoring.events.JUMP)

    def _jump(self, code: CodeType, source: int, target: int) -> Any:
        _, lines = self._lines.get(id(code), (code, {}))
        if target > source or lines.get(source) != lines.get(target):
            return self._monitoring.DISABLE
        if not self._next_round(sys._getframe(1)):
            self._forget(code)
        return None

    def _forget(self, code: CodeType) -> None:
        with self._lock:
            if self._lines.pop(id(code), None) is not None and self._tool is not None:
                self._monitoring.set_local_events(self._tool, code, 0)

    def end(self) -> None:
        with self._lock:
            tool, self._tool = self._tool, None
            codes, self._lines = self._lines, {}
        if tool is not None:
            for code, _ in codes.values():
                self._monitoring.set_local_events(tool, code, 0)
            self._monitoring.register_callback(tool, self._monitoring.events.JUMP, None)
            self._monitoring.free_tool_id(tool)


class _Opcodes:
    """Up to Python 3.11: each instruction of a loop that has but one."""

    def __init__(self, next_round: Round) -> None:
        self._next_round = next_round

    def watch(self, frame: FrameType) -> None:
        if frame.f_trace is None or not _jumps_to_itself(frame):
            return

        def trace(frame: FrameType, event: str, arg: Any) -> Any:
            if event == "opcode":
                self._next_round(frame)
            return frame.f_trace

        frame.f_trace_opcodes = True
        frame.f_trace = trace

    def end(self) -> None:
        pass  # the frames are traced no more, see `tracing.untrace`


def _jumps_to_itself(frame: FrameType) -> bool:
    found = (one for one in dis.get_instructions(frame.f_code) if one.offset == frame.f_lasti)
    return any(one.opname.startswith("JUMP") and one.argval == one.offset for one in found)


def loops_on_one_line(next_round: Round) -> _Jumps | _Opcodes | None:
    """`watch(frame)` has `next_round(frame)` called for each later round of its line; any thread.

    That ends when it gives false, or with `end`. None where the debugger itself sees such loops.
    """
    if sys.version_info >= (3, 13):
        return _Jumps(next_round)
    return _Opcodes(next_round) if sys.version_info < (3, 12) else None


def begin_line(debugger: Any, frame: FrameType) -> bool:
    """What pydevd does where a line begins: stop for a breakpoint that wants that, or for a step.

    Returns whether the lines of this file may stop anything.
    """
    from _pydevd_bundle.pydevd_comm_constants import CMD_SET_BREAK

    thread = threading.current_thread()
    if getattr(thread, "is_pydev_daemon_thread", False):
        return True
    found = breakpoint_at(debugger, frame)
    details = debugger.set_additional_thread_info(thread)
    if found is not None and _wants(debugger, details, found, frame):
        details.hit_breakpoint_ids = [found.breakpoint_id]
        everything = found.suspend_policy == "ALL"
        debugger.set_suspend(thread, CMD_SET_BREAK, suspend_other_threads=everything)
    elif steps_through(debugger, frame) and not _in_comprehension(frame):
        step, original = details.pydev_step_cmd, details.pydev_original_step_cmd
        debugger.set_suspend(thread, step, original_step_cmd=original)
    else:
        return bool(_breakpoints_beside(debugger, frame))
    debugger.do_wait_suspend(thread, frame, "line", None)
    return True


def _in_comprehension(frame: FrameType) -> bool:
    """Whether this jump is one of a comprehension, which a step takes as one call."""
    at = frame.f_lasti
    return any(start <= at <= end for start, end in _comprehensions(frame.f_code))


@functools.lru_cache(64)
def _comprehensions(code: CodeType) -> list[tuple[int, int]]:
    """The loops of comprehensions that are part of this code, as they are from Python 3.12 on."""
    ends: dict[int, int] = {}
    begins = False
    for one in dis.get_instructions(code):
        if one.opname == "LOAD_FAST_AND_CLEAR":  # of the variable of each, and of nothing else
            begins = True
        elif begins and one.opname in ("FOR_ITER", "GET_ANEXT"):
            begins, ends[one.offset] = False, one.offset
        elif one.opname.startswith("JUMP_BACKWARD") and one.argval in ends:
            ends[one.argval] = one.offset
    return list(ends.items())


def _wants(debugger: Any, details: Any, found: Any, frame: FrameType) -> bool:
    if not found.has_condition:
        return True
    details.is_tracing += 1
    try:
        return bool(debugger.handle_breakpoint_condition(details, found, frame))
    finally:
        details.is_tracing -= 1


def steps_through(debugger: Any, frame: FrameType) -> bool:
    """Whether the calling thread is to stop at the next line of that frame of its own."""
    from _pydevd_bundle import pydevd_comm_constants as constants

    details = debugger.set_additional_thread_info(threading.current_thread())
    step = details.pydev_step_cmd
    if step in (constants.CMD_STEP_INTO, constants.CMD_STEP_INTO_MY_CODE):
        return True
    over = (constants.CMD_STEP_OVER, constants.CMD_STEP_OVER_MY_CODE)
    return step in over and details.pydev_step_stop is frame


def breakpoint_at(debugger: Any, frame: FrameType) -> Any:
    """pydevd's breakpoint at the line that a frame is in; None if there is none."""
    return _breakpoints_beside(debugger, frame).get(frame.f_lineno)


def _breakpoints_beside(debugger: Any, frame: FrameType) -> dict[int, Any]:
    """Those in the file of a frame, by line."""
    from pydevd_file_utils import get_abs_path_real_path_and_base_from_frame

    _, canonical, _ = get_abs_path_real_path_and_base_from_frame(frame)
    return debugger.breakpoints.get(canonical) or {}
