"""Turns tracing off again, and around what is not to be traced: what differs by Python version."""

from __future__ import annotations

import contextlib
import ctypes
import sys
import threading
from collections import deque
from collections.abc import Callable, Container, Iterator
from types import FrameType
from typing import Any

from ipyext_patches.frames import no_collection
from ipyext_patches.ledger import Change, Switch, Wrap
from ipyext_patches.spec import Patch, function
from ipyext_patches.targets.visible import package

# From here on pydevd uses sys.monitoring, which is not a matter of single threads.
MONITORED = sys.version_info >= (3, 12)

KEEP = Patch(
    id="debugger.tracers",
    target=(
        "pydevd.PyDB: enable_tracing, set_trace_for_frame_and_parents, "
        "set_tracing_for_untraced_contexts"
    ),
    what=(
        "Up to Python 3.11: trace functions that others take the place of live on for a while, "
        "and no garbage is collected while frames of other threads are looked at."
    ),
    why=(
        "The interpreter borrows the one that it is about to call. Code that the garbage collector "
        "runs at that moment lets other threads run, and one that replaces it crashes the process. "
        "So does one that leaves a frame of which an object is just being made."
    ),
    upstream=(
        "Python/ceval.c call_trace; Python/pystate.c _PyThread_CurrentFrames; "
        "pydevd_cython.pyx SafeCallWrapper"
    ),
    shape=function(),
)
_KEPT = "_kept_tracers"
# Who sets trace functions without a warning. pydevd itself knows of threading, which starts threads
# with its own, by the file that calls; that is ours.
_MAY_TRACE = ("bdb", "pdb", "IPython", "threading")
_NUMBER = 4096  # of them: many times what all frames of all threads have at once


WARNING = Patch(
    id="debugger.warning",
    target="pydevd_tracing._internal_set_trace",
    what="Up to Python 3.11: pdb's prompts come without pydevd's warning about trace functions.",
    why="It stands under the cell of a person who has only asked for a prompt; the next cell is "
    "traced again.",
    upstream="pydevd_tracing.py _internal_set_trace",
    shape=function("tracing_func"),
)


def no_trace() -> None:
    """End the tracing of the calling thread, without pydevd's warning about others who do that."""
    import pydevd_tracing

    (pydevd_tracing.TracingFunctionHolder._original_tracing or sys.settrace)(None)


def unwarned(module: Any, switch: Switch) -> Change:
    """See `WARNING`. `module` is pydevd_tracing."""

    def set_trace(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        caller: FrameType | None = sys._getframe(1)
        while caller is not None and package(caller) == "wrapt":
            caller = caller.f_back
        original = module.TracingFunctionHolder._original_tracing
        if caller is None or original is None or package(caller) not in _MAY_TRACE:
            return wrapped(*args, **kwargs)
        return original(*args, **kwargs)

    return Wrap(WARNING, module, "_internal_set_trace", set_trace, switch)


def keep_tracers(debugger_class: Any, switch: Switch) -> list[Change]:
    """See `KEEP`."""

    def enable(wrapped: Any, debugger: Any, args: Any, kwargs: Any) -> Any:
        for tracer in (*args[:1], kwargs.get("thread_trace_func")):
            _keep(debugger, tracer)
        return wrapped(*args, **kwargs)

    def set_trace(wrapped: Any, debugger: Any, args: Any, kwargs: Any) -> Any:
        with no_collection():
            _keep_those_of(debugger, args[1] if len(args) > 1 else kwargs.get("frame"))
            return wrapped(*args, **kwargs)

    def set_all(wrapped: Any, debugger: Any, args: Any, kwargs: Any) -> Any:
        with no_collection():
            return wrapped(*args, **kwargs)

    return [
        Wrap(KEEP, debugger_class, "set_tracing_for_untraced_contexts", set_all, switch),
        Wrap(KEEP, debugger_class, "enable_tracing", enable, switch),
        Wrap(KEEP, debugger_class, "set_trace_for_frame_and_parents", set_trace, switch),
    ]


def _keep(debugger: Any, tracer: Any) -> None:
    if debugger is None or tracer is None or tracer is debugger.trace_dispatch:
        return
    vars(debugger).setdefault(_KEPT, deque(maxlen=_NUMBER)).append(tracer)


def _keep_those_of(debugger: Any, frame: FrameType | None) -> None:
    while frame is not None:
        _keep(debugger, frame.f_trace)
        frame = frame.f_back


class NoThreads:
    """pydev_monkey, but what is to run in a new thread runs in the calling one.

    It is a call of `sys.settrace`, of which Python 3.9 and earlier needed one in some thread.
    """

    def __init__(self, module: Any) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)

    def get_original_start_new_thread(self, module: Any) -> Callable[..., None]:
        def run(function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
            function(*arguments)
            no_trace()  # pydevd sets the one that it wants next

        return run


def expect_stop(debugger: Any, thread: threading.Thread, frame: FrameType) -> None:
    """A thread is to stop: trace the code that it is in."""
    if MONITORED:
        from _pydevd_sys_monitoring import pydevd_sys_monitoring as monitoring

        monitoring.update_monitor_events(suspend_requested=True)
        debugger.set_trace_for_frame_and_parents(thread.ident, frame)
        monitoring.restart_events()
    else:
        debugger.set_trace_for_frame_and_parents(thread.ident, frame)


@contextlib.contextmanager
def untraced() -> Iterator[None]:
    """What the calling thread does within is not traced: long work of the kernel's own."""
    if MONITORED:
        with unmonitored():
            yield
        return
    former = sys.gettrace()
    if former is None:
        yield
        return
    import pydevd_tracing

    no_trace()
    try:
        yield
    finally:
        pydevd_tracing.SetTrace(former)


@contextlib.contextmanager
def unmonitored() -> Iterator[None]:
    """Python 3.12 on: what the debugger does itself here is not traced."""
    from _pydevd_sys_monitoring import pydevd_sys_monitoring as monitoring

    suspend = getattr(monitoring, "suspend_current_thread_tracing", None)
    former = suspend() if suspend is not None and MONITORED else False
    try:
        yield
    finally:
        if former:
            monitoring.resume_current_thread_tracing()


def clear_monitoring() -> None:
    """Python 3.12 on: end the events of single code objects; they outlive the tool itself."""
    if not MONITORED:
        return
    monitoring: Any = sys.monitoring  # type: ignore[attr-defined,unused-ignore]
    tool = monitoring.DEBUGGER_ID
    if monitoring.get_tool(tool) != "pydevd":
        return
    monitoring.set_events(tool, 0)
    for name in ("_pydevd_sys_monitoring_cython", "_pydevd_sys_monitoring"):
        module = sys.modules.get(f"_pydevd_sys_monitoring.{name}") or sys.modules.get(name)
        for code in list(getattr(module, "_code_to_func_code_info_cache", ())):
            monitoring.set_local_events(tool, code, 0)


class _Stay:
    """Stands in for the trace function of a frame while an exception may leave debugpy's code.

    Python ends the tracing of a thread when its trace function raises, and then lets go of the
    frame's own one, which is this. So the last thing that it does is to begin the tracing again,
    in the same thread, before the exception is seen by anything else.
    """

    def __init__(self, debugger: Any, former: Any, on: Callable[[], bool]) -> None:
        self._debugger = debugger
        self._former = former
        self._on = on

    def __call__(self, frame: FrameType, event: str, arg: Any) -> Any:
        """The exception was caught within: nothing has ended."""
        frame.f_trace = self._former
        return None if self._former is None else self._former(frame, event, arg)

    def __del__(self) -> None:
        if sys.gettrace() is not None or not self._on():
            return
        self._debugger.enable_tracing()
        self._debugger.set_trace_for_frame_and_parents(threading.get_ident(), sys._getframe(1))


def stay_traced(debugger: Any, on: Callable[[], bool], ours: Container[str]) -> None:
    """Up to Python 3.11: an exception is raised here; the calling thread stays traced.

    Call it before the exception leaves the frame that calls, or from where it is being made. Which
    frame is being traced cannot be told from outside: it is one of those that call the debugger.
    On the others this does nothing.

    Args:
        debugger: pydevd's, as long as `on` gives true.
        on: whether this debugger is still on.
        ours: the files whose functions Python or debugpy call in place of debugpy's own.
    """
    frame: FrameType | None = sys._getframe(1)
    called = False
    while frame is not None:
        name = frame.f_code.co_filename
        debuggers = name in ours or _is_pydevd(name)
        if called and not debuggers:
            frame.f_trace = _Stay(debugger, frame.f_trace, on)
        called = debuggers
        frame = frame.f_back


def _is_pydevd(name: str) -> bool:
    # pydev_monkey's is the first function of threads that it has patched, not a tracer's.
    return "pydevd" in name and not name.endswith("pydev_monkey.py")


@no_collection()
def untrace(threads: list[threading.Thread], debugger: Any) -> None:
    """Up to Python 3.11: end the tracing of `threads`, also of one that is in a loop."""
    import pydevd_tracing

    ended = set()

    def trace_no_more(frame: FrameType, event: str, arg: Any) -> None:
        untrace_this(frame)
        ended.add(threading.get_ident())

    _keep(debugger, trace_no_more)
    running = sys._current_frames()
    for frame in running.values():
        _keep_those_of(debugger, frame)
    others: list[int] = []
    for thread in threads:
        if getattr(thread, "is_pydev_daemon_thread", False) or thread.ident not in running:
            continue
        if thread is threading.main_thread():
            _on_main_now(lambda: trace_no_more(sys._getframe(), "", None))
        elif thread is threading.current_thread():
            trace_no_more(sys._getframe(), "", None)
        else:
            others.append(thread.ident)
    if not others:
        return
    pydevd_tracing.set_trace_to_threads(trace_no_more, others, create_dummy_thread=False)
    # That is called when a thread calls something. One in a loop gets there by its next line; set
    # before the above, it would end the old tracing only.
    running = sys._current_frames()
    for ident in others:
        _trace_frames(running.get(ident), trace_no_more)
        if ident in ended:  # just now, without having seen these
            _trace_frames(running.get(ident), None)


def untrace_this(frame: FrameType) -> None:
    """Up to Python 3.11: end the tracing of the calling thread, which is in `frame`."""
    no_trace()
    _trace_frames(frame, None)


def _trace_frames(frame: FrameType | None, trace: Callable[..., None] | None) -> None:
    while frame is not None:
        frame.f_trace = trace
        frame = frame.f_back


_PENDING = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
_kept: list[Any] = []


def _on_main_now(function: Callable[[], None]) -> None:
    """Run `function` on main between two of its bytecodes, as Python runs signal handlers."""

    def run(_: Any) -> int:
        function()
        return 0

    call = _PENDING(run)
    _kept[:] = [*_kept[-8:], call]  # must outlive the call
    ctypes.pythonapi.Py_AddPendingCall(call, None)
