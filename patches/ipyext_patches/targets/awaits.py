"""Steps in code that awaits: what only waits has not ended, and a line that fails is no new one."""

from __future__ import annotations

import opcode
import sys
import threading
from inspect import CO_ASYNC_GENERATOR
from types import FrameType
from typing import Any

from ipyext_patches.ledger import Change, Switch, Wrap
from ipyext_patches.spec import Patch, function
from ipyext_patches.targets.visible import is_debuggers

RETURNS = Patch(
    id="debugger.returns",
    target="pydevd.collect_return_info",
    what="Up to Python 3.11: a coroutine that awaits in a line that also returns has not ended.",
    why=(
        "The debugger tells the two apart by the line, and each statement of a cell that awaits is "
        "a coroutine of its own, which returns in the same line. A step over it led into it."
    ),
    upstream="pydevd_frame.py PyDBFrame.trace_dispatch; interactiveshell.py run_ast_nodes",
    shape=function("co"),
)

_YIELD = opcode.opmap["YIELD_VALUE"]
_AWAIT = opcode.opmap.get("YIELD_FROM")  # Python 3.10, which goes back to the instruction before
_RESUME, _AFTER_AWAIT = opcode.opmap.get("RESUME"), 3  # Python 3.11 on
_AS_FUNCTIONS = sys.version_info < (3, 12)
_THROW = opcode.opmap.get("CLEANUP_THROW")  # Python 3.12 on


_kept = threading.local()


class _Returns(int):
    """A line that returns: equal to the one in which a traced frame is, unless that only waits."""

    __hash__ = int.__hash__

    def __eq__(self, line: object) -> bool:
        return int(self) == line and not _waits(_traced())


def tell_returns(pydevd: Any, switch: Switch) -> Change:
    """See `RETURNS`."""

    def collect(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        found = wrapped(*args, **kwargs)
        for one in found:
            one.return_line = _Returns(one.return_line)
        return found

    return Wrap(RETURNS, pydevd, "collect_return_info", collect, switch)


def into_tasks(debugger: Any) -> None:
    """A step of the calling thread into an `await` also goes into what other tasks do for it."""
    from _pydevd_bundle import pydevd_comm_constants as constants

    details = debugger.set_additional_thread_info(threading.current_thread())
    if details.pydev_step_cmd == constants.CMD_STEP_INTO_COROUTINE:
        details.pydev_step_cmd = constants.CMD_STEP_INTO
        details.pydev_step_stop = None


def only_fails(debugger: Any, frame: FrameType) -> bool:
    """Whether the calling thread has come to the end of an `await` that raised, and steps on.

    From Python 3.12 on the line of the `await` begins once more there.
    """
    if frame.f_code.co_code[frame.f_lasti] != _THROW:
        return False
    from _pydevd_bundle.pydevd_constants import STATE_RUN

    details = debugger.set_additional_thread_info(threading.current_thread())
    details.pydev_state = STATE_RUN
    return True


def keep_step(debugger: Any) -> None:
    """The calling thread goes on: remember a step over a line of an asynchronous generator.

    Up to Python 3.11 pydevd takes those for functions, which have ended when they wait, and then
    steps into whatever comes next.
    """
    from _pydevd_bundle import pydevd_comm_constants as constants

    forget_kept_step()
    details = debugger.set_additional_thread_info(threading.current_thread())
    frame, command = details.pydev_step_stop, details.pydev_step_cmd
    over = (constants.CMD_STEP_OVER, constants.CMD_STEP_OVER_MY_CODE)
    if _AS_FUNCTIONS and command in over and frame.f_code.co_flags & CO_ASYNC_GENERATOR:
        callers, back = [], frame.f_back
        while back is not None:
            callers.append(back)
            back = back.f_back
        _kept.step = frame, command, callers


def forget_kept_step() -> None:
    """The step of the calling thread is over, or there is none."""
    _kept.step = None


def steps_on(debugger: Any, frame: FrameType, event: str) -> bool:
    """Whether such a step of the calling thread goes on, which is about to stop in `frame`."""
    step = getattr(_kept, "step", None)
    if step is None or (frame is step[0] and event == "line"):
        return False
    generator, command, callers = step
    if not _calls(generator, frame):
        if not _waits(generator):
            return False
        # While it awaits, so do its callers: they go on if that has raised an exception.
        if event == "line" and frame in callers and not _yields(generator):
            return False
    from _pydevd_bundle.pydevd_constants import STATE_RUN

    details = debugger.set_additional_thread_info(threading.current_thread())
    details.pydev_step_cmd, details.pydev_step_stop = command, generator
    details.pydev_state = STATE_RUN
    return True


def _calls(caller: FrameType, frame: FrameType | None) -> bool:
    while frame is not None and frame is not caller:
        frame = frame.f_back
    return frame is not None


def _yields(frame: FrameType) -> bool:
    """Whether a generator that waits has handed out a value, not awaited."""
    code, at = frame.f_code.co_code, frame.f_lasti
    resumes = at + 3 < len(code) and code[at + 2] == _RESUME
    return code[at] == _YIELD and not (resumes and code[at + 3] & 3 == _AFTER_AWAIT)


def _traced() -> FrameType:
    """The frame that the debugger looks at; the debugger itself may be compiled, or have frames."""
    frame = sys._getframe(2)
    while is_debuggers(frame) and frame.f_back is not None:
        frame = frame.f_back
    return frame


def _waits(frame: FrameType) -> bool:
    """Whether a coroutine or generator that gives up control here goes on later."""
    code, at = frame.f_code.co_code, frame.f_lasti
    return code[at] == _YIELD or (at + 2 < len(code) and code[at + 2] == _AWAIT)
