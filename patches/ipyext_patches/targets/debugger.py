"""debugpy in this process: connect it to us, ask it what only it knows, and take it off again.

Nothing of debugpy is imported before the debugger is first used.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any

from ipyext_patches.errors import DebuggerInUseError
from ipyext_patches.frames import no_collection
from ipyext_patches.ledger import Change, Ledger, SetAttribute, Wrap
from ipyext_patches.ports import Hooks
from ipyext_patches.spec import Patch, function
from ipyext_patches.targets import instructions, pauses, tracing
from ipyext_patches.targets.awaits import into_tasks, only_fails, tell_returns
from ipyext_patches.targets.explorer import Explorer
from ipyext_patches.targets.forks import take_off, when_forked
from ipyext_patches.targets.kernel_threads import has_ended, marked
from ipyext_patches.targets.one_line import (
    begin_line,
    breakpoint_at,
    loops_on_one_line,
    steps_through,
)
from ipyext_patches.targets.pydevd_state import (
    connections,
    end_threads,
    forget_code,
    forget_step,
    forget_steps,
    global_debugger,
    is_step,
    kill_threads,
    thread_name,
)
from ipyext_patches.targets.together import Together
from ipyext_patches.targets.tracing import (
    MONITORED,
    NoThreads,
    clear_monitoring,
    keep_tracers,
    stay_traced,
    unmonitored,
    untrace,
    unwarned,
)
from ipyext_patches.targets.unanswered import answer_failures, fail_queued
from ipyext_patches.targets.visible import (
    in_a_cell,
    in_interactive_window,
    used_by_the_kernel,
)

SUSPEND = Patch(
    id="debugger.suspend",
    target="pydevd.PyDB.do_wait_suspend",
    what="An interrupt of a shell that the debugger has stopped goes to the shell's own code.",
    why="Raised in the debugger's own code it is lost (Python 3.12 and later), or lands anywhere.",
    upstream="pydevd.py PyDB.do_wait_suspend",
    shape=function("thread", "frame", "event", "arg"),
)

DECIDE = Patch(
    id="debugger.decide",
    target="pydevd.PyDB.set_suspend",
    what="A thread that is interrupted on its way to a stop does not stop any more.",
    why="It would do so in whatever code comes next.",
    upstream="pydevd.py PyDB.set_suspend",
    shape=function("thread", "stop_reason"),
)
SAY = Patch(
    id="debugger.say",
    target="_pydevd_bundle.pydevd_comm.WriterThread.add_command, pydevd.PyDB.notify_thread_created",
    what="What the debugger has to say is not interrupted by an interrupt of the code it looks at.",
    why="Messages and new threads are lost, and the locks that this takes may stay taken.",
    upstream="pydevd_comm.py WriterThread; pydevd.py PyDB.notify_thread_created",
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

# The files whose functions Python or debugpy call in place of debugpy's own.
_CALLED = frozenset({__file__, instructions.__file__, pauses.__file__, tracing.__file__})
_HIDING = "PYDEVD_APPLY_PATCHING_TO_HIDE_PYDEVD_THREADS"
_QUIET = "PYDEVD_DISABLE_FILE_VALIDATION"


class Debugpy:
    """The debugger of this process. Any thread, unless a method says otherwise.

    Args:
        hooks: the engine; `suspended` is called in threads that stop.
        stock: the kernel, for what its own debugger keeps.

    Attributes:
        forked: this is a process that was forked from the kernel while it was debugged.
        is_installed: whether debugpy could be imported when the kernel was extended. Not looked up
            later, for that takes a lock which slow imports hold.
    """

    def __init__(self, hooks: Hooks, stock: Any) -> None:
        self._hooks = hooks
        self._stock = stock
        self._ledger = Ledger()
        self._py_db: Any = None
        self._trace_hook: Any = None
        self._pauses = pauses.Pauses(lambda: self._py_db)
        self._together = Together(lambda: self._py_db)
        self._one_line = loops_on_one_line(self._next_round)
        self._mine = False
        self._children = True
        self.forked = False
        self.is_installed = importlib.util.find_spec("debugpy") is not None

    # -- on and off ----------------------------------------------------------------------------

    def load(self) -> None:
        """Import debugpy; takes up to a second, more while main is busy.

        Raises:
            ImportError: it is not installed, or does not work here.
        """
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
        from _pydevd_bundle.pydevd_comm import WriterThread

        switch = self._ledger.switch
        changes: list[Change] = [
            marked(self._stock),
            Wrap(SUSPEND, pydevd.PyDB, "do_wait_suspend", self._suspend, switch),
            Wrap(DECIDE, pydevd.PyDB, "set_suspend", self._decide, switch),
            Wrap(SAY, WriterThread, "add_command", self._whole, switch),
            Wrap(SAY, pydevd.PyDB, "notify_thread_created", self._whole, switch),
            *answer_failures(self._ledger, self._hooks),
            *self._together.changes(switch),
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

        self._pauses.end()
        self._together.end()
        if self._one_line is not None:
            self._one_line.end()
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

    def _suspend(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        thread, frame, event = args[:3]

        def stop() -> bool:
            with self._hooks.uninterrupted():
                # The kernel's own work, before a cell or after it, or what a breakpoint in the
                # library is hit by: stopped there, the kernel says nothing any more.
                if self._together.with_others(thread) and not in_a_cell(frame):
                    return False  # it stops when it comes to people's code
                steps = event == "exception" or is_step(thread)
                if is_step(thread) and only_fails(instance, frame):
                    return False
                if used_by_the_kernel(frame) or (steps and not in_a_cell(frame)):
                    self._together.forget(thread)
                    self.resume(thread)
                    return False
                with self._hooks.debugger.suspended(threading.current_thread()):
                    wrapped(*args, **kwargs)
                    fail_queued(instance, thread_name(thread))
                    into_tasks(instance)
                    self._see_rounds(frame, steps_through(instance, frame))
                    return True

        try:
            self._pauses.stop(thread, frame, stop)
        except BaseException:
            self._prevented(thread)
            raise

    @no_collection()
    def breakpoints_set(self) -> None:
        """Breakpoints have changed: see them also in code that runs."""
        running = sys._current_frames()
        for _, thread in self.threads():
            frame = running.get(thread.ident or 0)
            while frame is not None:
                self._see_rounds(frame)
                frame = frame.f_back

    def _see_rounds(self, frame: FrameType, wanted: bool = False) -> None:
        debugger, loops = self._py_db, self._one_line
        if debugger is None or loops is None:
            return
        if wanted or breakpoint_at(debugger, frame):
            loops.watch(frame)

    def _next_round(self, frame: FrameType) -> bool:
        debugger = self._py_db
        return debugger is not None and begin_line(debugger, frame)

    def _decide(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        try:
            with self._hooks.uninterrupted():  # it holds locks meanwhile
                if not kwargs.get("is_pause"):  # it may be in native code, and never stop
                    self._together.stops(instance, args[0])
                return wrapped(*args, **kwargs)
        except BaseException:
            self._prevented(args[0])
            raise

    def _whole(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        try:
            with self._hooks.uninterrupted():
                return wrapped(*args, **kwargs)
        except BaseException:
            self.exception_comes()
            raise

    def _prevented(self, thread: threading.Thread) -> None:
        """An interrupt prevents a stop: it does not come later, and the thread stays traced."""
        with self._hooks.uninterrupted():
            self._together.forget(thread)
            self.resume(thread)
        self.exception_comes()

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

    def resume(self, thread: threading.Thread) -> None:
        """Let a stopped thread go on, at once; no other that has stopped by itself does."""
        from _pydevd_bundle.pydevd_constants import get_thread_id
        from _pydevd_bundle.pydevd_thread_lifecycle import resume_threads

        name = get_thread_id(thread)
        resume_threads(name)
        debugger = self._py_db
        if debugger is not None:
            debugger._thread_events[name].set()
        self._together.release()

    def stopped_with_others(self, thread: threading.Thread) -> bool:
        """Whether a thread has stopped just because another one has."""
        return self._together.stopped_with_others(thread)

    def looks_on(self) -> None:
        """The calling thread asks the debugger: it does not stop because another one does."""
        self._together.leave(threading.current_thread())

    def pause(self, thread: threading.Thread) -> None:
        """Have a thread stop in the code that people see, in any loop, as soon as it is there."""
        self._pauses.pause(thread)

    def nudge(self) -> None:
        """Have stopped threads look at once whether they may go on."""
        debugger = self._py_db
        if debugger is not None:
            for event in list(debugger._thread_events.values()):
                event.set()

    def exception_comes(self) -> None:
        """An interrupt is raised in the calling thread, wherever that is. It takes no lock.

        A step or a pause of it is over: what ends at an `await` would stop there once more. Should
        the exception leave debugpy's code, which ends the tracing up to Python 3.11, that goes on.
        """
        debugger = self._py_db
        if debugger is None:
            return
        thread = threading.current_thread()
        self._pauses.interrupted(thread)
        forget_step(thread)
        if not MONITORED:
            stay_traced(debugger, lambda: self._py_db is debugger, _CALLED)

    def is_untrue(self, message: dict[str, Any]) -> bool:
        """Whether debugpy says that a thread is traced no more, which `exception_comes` prevents.

        An interrupt came while it was at work in that thread.
        """
        text = (message.get("body") or {}).get("output")
        return isinstance(text, str) and "raised from within the callback set in sys" in text

    def trace_this_thread(self) -> None:
        """New code runs in the calling thread: have it traced, if it is not."""
        debugger = self._py_db
        if debugger is None:
            return
        from _pydevd_bundle.pydevd_thread_lifecycle import resume_threads

        # A step that went past the end of the cell before is over, and so is a pause.
        self._pauses.forget(threading.current_thread())
        with self._hooks.uninterrupted():
            resume_threads(thread_name(threading.current_thread()))
        self._together.forget(threading.current_thread())
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
            self.resume(threading.current_thread())  # a step in the cell is over
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
