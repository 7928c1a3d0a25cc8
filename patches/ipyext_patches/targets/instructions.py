"""Stops a thread at its next bytecode instruction, also in a loop that has no lines.

The debugger stops at lines. A loop on one line that is one jump to itself (`while True: pass`)
never begins a line, so a pause of it never arrives.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

Stop = Callable[[threading.Thread, FrameType], None]

_TOOLS = (4, 3)  # of sys.monitoring, those that nobody has reserved


class _Traced:
    """Up to Python 3.11: opcode events of one frame."""

    def __init__(self, thread: threading.Thread, frame: FrameType, stop: Stop) -> None:
        self._frame = frame
        self._former = frame.f_trace
        self._arguments = (thread, frame)
        self._stop = stop
        frame.f_trace_opcodes = True
        frame.f_trace = self._trace

    def _trace(self, frame: FrameType, event: str, arg: Any) -> Any:
        self.end()
        self._stop(*self._arguments)
        return frame.f_trace

    def end(self) -> None:
        """Nothing happens any more. Any thread."""
        if self._frame.f_trace == self._trace:
            self._frame.f_trace_opcodes = False
            self._frame.f_trace = self._former


class _Monitored:
    """Python 3.12 on: instruction events of one code object."""

    def __init__(self, thread: threading.Thread, frame: FrameType, stop: Stop) -> None:
        monitoring: Any = sys.monitoring  # type: ignore[attr-defined,unused-ignore]
        self._monitoring = monitoring
        self._thread = thread
        self._code = frame.f_code
        self._stop = stop
        self._lock = threading.Lock()
        self._tool = next((n for n in _TOOLS if monitoring.get_tool(n) is None), None)
        if self._tool is not None:
            monitoring.use_tool_id(self._tool, "ipyext")
            event = monitoring.events.INSTRUCTION
            monitoring.register_callback(self._tool, event, self._instruction)
            monitoring.set_local_events(self._tool, self._code, event)

    def _instruction(self, code: CodeType, offset: int) -> None:
        if threading.get_ident() == self._thread.ident and code is self._code:
            self.end()
            self._stop(self._thread, sys._getframe(1))

    def end(self) -> None:
        """Nothing happens any more. Any thread."""
        with self._lock:
            tool, self._tool = self._tool, None
        if tool is not None:
            self._monitoring.set_local_events(tool, self._code, 0)
            event = self._monitoring.events.INSTRUCTION
            self._monitoring.register_callback(tool, event, None)
            self._monitoring.free_tool_id(tool)


def stop_at_next(thread: threading.Thread, frame: FrameType, stop: Stop) -> _Traced | _Monitored:
    """Have `stop` called in `thread` before the next instruction of `frame`; once.

    Any other thread. The thread must be traced (up to Python 3.11).
    """
    kind: Any = _Monitored if sys.version_info >= (3, 12) else _Traced
    armed: _Traced | _Monitored = kind(thread, frame, stop)
    return armed
