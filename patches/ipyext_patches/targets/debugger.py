"""debugpy in this process: connect it to us, ask it what only it knows, and take it off again.

Nothing of debugpy is imported before the debugger is first used.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any

from ipyext_patches.errors import DebuggerInUseError, UnsupportedDebuggerError
from ipyext_patches.ledger import Change, Ledger, SetAttribute
from ipyext_patches.ports import Hooks
from ipyext_patches.spec import Patch
from ipyext_patches.targets.awaits import tell_returns
from ipyext_patches.targets.explorer import Explorer
from ipyext_patches.targets.forks import take_off, when_forked
from ipyext_patches.targets.kernel_threads import has_ended, marked
from ipyext_patches.targets.pydevd_state import (
    connections,
    end_threads,
    forget_code,
    forget_steps,
    global_debugger,
    kill_threads,
)
from ipyext_patches.targets.stopping import Stopping
from ipyext_patches.targets.tracing import (
    MONITORED,
    NoThreads,
    clear_monitoring,
    keep_tracers,
    unmonitored,
    untrace,
    unwarned,
)
from ipyext_patches.targets.unanswered import answer_failures
from ipyext_patches.targets.visible import (
    in_interactive_window,
)

ENUMERATE = Patch(
    id="debugger.enumerate",
    target="_pydevd_bundle.pydevd_daemon_thread.PYDEVD_APPLY_PATCHING_TO_HIDE_PYDEVD_THREADS",
    what="debugpy does not change threading.enumerate.",
    why="It does so for good: the kernel's threads are missing there ever after.",
    upstream="pydevd_daemon_thread.py mark_as_pydevd_daemon_thread",
)
HELPER = Patch(
    id="debugger.helper-threads",
    target="pydevd_tracing.pydev_monkey",
    what="Up to Python 3.11: tracing a thread does not start another one each time.",
    why="An interrupt that comes just then hits the new thread, for which the other waits for ever "
    "(CPython gives a thread its creator's id until it runs).",
    upstream="pydevd_tracing.py set_trace_to_threads",
)

_HIDING = "PYDEVD_APPLY_PATCHING_TO_HIDE_PYDEVD_THREADS"
_QUIET = "PYDEVD_DISABLE_FILE_VALIDATION"


class Debugpy:
    """The debugger of this process. Any thread, unless a method says otherwise.

    Args:
        hooks: the engine; `suspended` is called in threads that stop.
        stock: the kernel, for what its own debugger keeps.
        problem: why the debugpy that is installed cannot be used, if it cannot.

    Attributes:
        stops: which threads stop.
        forked: this is a process that was forked from the kernel while it was debugged.
    """

    def __init__(self, hooks: Hooks, stock: Any, problem: str | None) -> None:
        self._hooks = hooks
        self._stock = stock
        self._ledger = Ledger()
        self._py_db: Any = None
        self._trace_hook: Any = None
        self.stops = Stopping(hooks, lambda: self._py_db, self.threads)
        self._mine = False
        self._children = True
        self.forked = False
        self._problem = problem

    # -- on and off ----------------------------------------------------------------------------

    def load(self) -> None:
        """Import debugpy; takes up to a second, more while main is busy.

        Raises:
            ImportError: it is not installed, or does not work here.
            UnsupportedDebuggerError: its version is not a checked one.
        """
        if self._problem is not None:
            raise UnsupportedDebuggerError(self._problem)
        if "debugpy.server.api" in sys.modules:
            return
        hook = sys.breakpointhook  # debugpy sets its own
        quiet = _QUIET not in os.environ
        if quiet:  # it would print a warning about frozen modules under some cell
            os.environ[_QUIET] = "1"
        try:
            import debugpy.server.api  # noqa: F401
        finally:
            sys.breakpointhook = hook
            if quiet:
                os.environ.pop(_QUIET, None)

    def connect(self, port: int, token: str) -> None:
        """Have debugpy connect to `port` on loopback; returns when it is configured.

        Call it in a thread that is hidden from debuggers, after `load`. Threads are traced from
        then on.

        Raises:
            DebuggerInUseError: somebody else debugs this process.
            UnsupportedTargetError: this debugpy does not look as expected.
            OSError: nobody listens on the port.
        """
        import pydevd
        from debugpy.server import api

        if self._in_use():
            raise DebuggerInUseError
        self._mine = True
        import pydevd_tracing

        switch = self._ledger.switch
        changes: list[Change] = [
            marked(self._stock),
            *self.stops.changes(switch),
            *answer_failures(self._ledger, self._hooks),
        ]
        marking = sys.modules["_pydevd_bundle.pydevd_daemon_thread"]
        if hasattr(marking, _HIDING):
            changes.append(SetAttribute(ENUMERATE, marking, _HIDING, False))
        if not MONITORED:
            shim = NoThreads(pydevd_tracing.pydev_monkey)
            changes.append(SetAttribute(HELPER, pydevd_tracing, "pydev_monkey", shim))
            changes += [unwarned(pydevd_tracing, switch), tell_returns(pydevd, switch)]
            changes += keep_tracers(pydevd.PyDB, switch)
        self._ledger.apply(changes)
        self._trace_hook = threading.gettrace()
        when_forked(self._leave_fork)
        server: Any = api  # `debugpy.connect` may be replaced, see `debugpy_api`
        try:
            self._children = server._config["subProcess"]
            server.configure(subProcess=False)
            server.connect(("127.0.0.1", port), access_token=token)
        except BaseException:
            self._mine = False
            when_forked(None)
            self._ledger.revert()
            raise

    def connected(self) -> None:
        """It has connected: send what it says at once. Small writes wait 40 ms otherwise."""
        self._py_db = global_debugger()
        with contextlib.suppress(AttributeError, OSError):
            # What pydevd knows of code outlives the session, and is old or not by this number
            # alone, which begins at 0 every time. Sessions are further apart than their changes.
            self._py_db.mtime = int(time.monotonic() * 1000) % 2**30
            forget_code(self._py_db)
            self._py_db._client_socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def release(self) -> None:
        """Let `connect` return, which waits to be configured."""
        debugger = global_debugger() if self._mine else None
        if debugger is not None:
            debugger.ready_to_run = True
            debugger._py_db_command_thread_event.set()

    def disconnect(self) -> None:
        """Take it off: afterwards nothing is traced and no thread of debugpy is left.

        Takes half a second. Does nothing unless `connect` was called and found nobody else's.
        """
        mine, self._mine = self._mine, False
        if not mine:
            return
        import pydevd

        self.stops.end()
        threads = list(threading.enumerate())
        debugger = global_debugger()  # kept: its threads know it by a weak reference only
        read = connections(threads)
        clear_monitoring()
        try:
            pydevd.stoptrace()
            end_threads(threads, read)
        finally:
            when_forked(None)
            self._ledger.revert()
            self._py_db = None
        threading.settrace(self._trace_hook)
        sys.modules["debugpy.server.api"]._config["subProcess"] = self._children
        if not MONITORED:
            untrace(threads, debugger)
        forget_steps()
        self._forget_stock()

    def quiet(self) -> None:
        """End breakpoints and pauses at once; what is stopped stays so."""
        debugger = self._py_db
        if debugger is not None:
            debugger.breakpoints.clear()
            debugger.break_on_uncaught_exceptions = {}
            debugger.break_on_caught_exceptions = {}
        clear_monitoring()

    def leave(self) -> None:
        """The process ends: what Python waits for ends, debugpy's threads and what they stop."""
        debugger = self._py_db
        if debugger is not None:
            forget_steps()
            self.nudge()
            debugger.created_pydb_daemon_threads = {}  # it would wait half a second for them
            kill_threads(list(threading.enumerate()))

    def _leave_fork(self) -> None:
        """In a process just forked: the kernel is debugged, this is not."""
        debugger, self._py_db = global_debugger(), None
        self.forked, self._mine = True, False
        if debugger is not None:
            take_off(debugger, self._trace_hook)

    def _in_use(self) -> bool:
        """Whether somebody else's client is connected. An idle debugpy.listen() is given up."""
        theirs = global_debugger()
        if theirs is None or theirs is self._py_db:
            return False
        if theirs.is_attached():
            stock: Any = getattr(self._stock, "debugger", None)
            if not getattr(stock, "is_started", False):
                return True
            stock.stop()
            stock.is_started = False
        import pydevd

        pydevd.stoptrace()
        self._forget_stock()
        return False

    def _forget_stock(self) -> None:
        """What the stock kernel's own debugger has started is gone: let it start again."""
        api = sys.modules.get("debugpy.server.api")
        listen = getattr(api, "listen", None)
        for found in (listen, getattr(listen, "__wrapped__", None)):
            if getattr(found, "called", False):
                found.called = False  # type: ignore[union-attr]
        stock = getattr(self._stock, "debugger", None)
        if stock is not None:
            stock.debugpy_initialized = False

    # -- threads -------------------------------------------------------------------------------

    def threads(self) -> list[tuple[int, threading.Thread]]:
        """The threads that a person may see, with the ids that DAP messages give them."""
        return [
            (self.thread_id(thread), thread)
            for thread in threading.enumerate()
            if not getattr(thread, "is_pydev_daemon_thread", False) and not has_ended(thread)
        ]

    def thread_id(self, thread: threading.Thread) -> int:
        """The id of a thread in DAP messages."""
        from _pydevd_bundle._debug_adapter.pydevd_base_schema import BaseSchema
        from _pydevd_bundle.pydevd_constants import get_thread_id

        return int(BaseSchema._translate_id_to_dap(get_thread_id(thread)))

    def nudge(self) -> None:
        """Have stopped threads look at once whether they may go on."""
        debugger = self._py_db
        if debugger is not None:
            for event in list(debugger._thread_events.values()):
                event.set()

    def is_untrue(self, message: dict[str, Any]) -> bool:
        """Whether it says that a thread is traced no more, which `exception_comes` prevents.

        An interrupt came while it was at work in that thread.
        """
        text = (message.get("body") or {}).get("output")
        return isinstance(text, str) and "raised from within the callback set in sys" in text

    def trace_this_thread(self) -> None:
        """New code runs in the calling thread: have it traced, if it is not."""
        debugger = self._py_db
        if debugger is None:
            return
        self.stops.over()
        forget_code(debugger)
        if not MONITORED and sys.gettrace() is None:
            debugger.enable_tracing()

    # -- stops that we ask for -----------------------------------------------------------------

    def break_here(self, frame: FrameType) -> None:
        """Stop the calling thread in `frame`, as `breakpoint()` does."""
        import pydevd
        from _pydevd_bundle.pydevd_comm_constants import CMD_SET_BREAK

        pydevd.settrace(
            suspend=True,
            trace_only_current_thread=True,
            patch_multiprocessing=False,
            stop_at_frame=frame,
        )
        debugger = self._py_db
        if debugger is None or in_interactive_window(frame):
            return  # it stops at the next line: VS Code puts the call in front of the code
        # Here and now, for there may be no next line but in the kernel's own code.
        thread = threading.current_thread()
        with self._at_work_for(thread):
            debugger.set_suspend(thread, CMD_SET_BREAK)
            debugger.do_wait_suspend(thread, frame, "line", None)

    @contextlib.contextmanager
    def _at_work_for(self, thread: threading.Thread) -> Iterator[Any]:
        """What the debugger does itself in this thread, the calling one, is not traced."""
        details = self._py_db.set_additional_thread_info(thread)
        details.is_tracing += 1
        try:
            with unmonitored():
                yield details
        finally:
            details.is_tracing -= 1

    def uncaught(self, info: tuple[Any, Any, Any]) -> None:
        """An exception has left a cell: stop where it was raised, if a client wants that."""
        debugger = self._py_db
        if debugger is None:
            return
        with self._hooks.uninterrupted():
            self.stops.resume(threading.current_thread())  # a step in the cell is over
        if not debugger.break_on_uncaught_exceptions:
            return
        from _pydevd_bundle.pydevd_breakpoints import stop_on_unhandled_exception

        thread = threading.current_thread()
        with self._at_work_for(thread) as details:
            stop_on_unhandled_exception(debugger, thread, details, info)

    # -- variables without a stop --------------------------------------------------------------

    def explorer(self, namespace: dict[str, Any]) -> Explorer:
        """The variables of a namespace, as the debugger shows them. After `load`."""
        return Explorer(namespace)
