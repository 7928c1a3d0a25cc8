"""The standard library: threads that belong to the cell that started them, input(), SIGINT."""

from __future__ import annotations

import builtins
import functools
import getpass
import io
import os
import signal
import subprocess
import sys
import threading
import time
from typing import Any

from ipyext_patches.frameless import Frameless, FramelessMethod
from ipyext_patches.ledger import Action, Change, Ledger, SetAttribute, Wrap
from ipyext_patches.ports import Hooks
from ipyext_patches.spec import Patch, function

THREAD_START = Patch(
    id="threads.inherit",
    target="threading.Thread.start",
    what="A thread started by a child subshell's cell prints and displays under that cell.",
    why="New threads start with an empty context, so their output would go to main's cell.",
    upstream="Python contextvars; ipykernel#1289",
    shape=function(),
)
THREAD_END = Patch(
    id="threads.end",
    target="threading.Thread._wait_for_tstate_lock",
    what="Up to Python 3.12: a thread counts as running, also after a join was interrupted.",
    why=(
        "Python takes the lock that the thread holds for one that the join has taken. The thread "
        "then counts as ended for good: nobody waits for it, and the debugger lets go of it."
    ),
    upstream="Lib/threading.py; cpython#90882",
    shape=function("block", "timeout"),
)
INPUT = Patch(
    id="stdin.input",
    target="builtins.input, getpass.getpass",
    what="One dispatcher for all shells, for as long as the extension is loaded.",
    why="The stock kernel swaps both functions around every cell, and shells swap each other's.",
    upstream="ipykernel/ipkernel.py _forward_input; ipykernel#452",
)
FORWARD = Patch(
    id="stdin.forward",
    target="ipykernel.ipkernel.IPythonKernel._forward_input",
    what="Notes whether main's request allows input, and swaps nothing.",
    why="See stdin.input.",
    upstream="ipykernel/ipkernel.py",
    shape=function("allow_stdin"),
)
RESTORE = Patch(
    id="stdin.restore",
    target="ipykernel.ipkernel.IPythonKernel._restore_input",
    what="Restores nothing, because nothing was swapped.",
    why="See stdin.input.",
    upstream="ipykernel/ipkernel.py",
    shape=function(),
)
SIGINT = Patch(
    id="interrupt.sigint",
    target="signal handler of SIGINT while main is idle",
    what="The stop button reaches busy child subshells when main has nothing to stop.",
    why="The stock kernel ignores SIGINT between main's cells, whatever else runs.",
    upstream="ipykernel/kernelapp.py init_signal; enhancement-proposals#91",
)

GETSIGNAL = Patch(
    id="interrupt.getsignal",
    target="signal.getsignal",
    what="Tells the handler of SIGINT that the stock kernel would have, in place of ours.",
    why="trio and asyncio.Runner see to interrupts themselves where the handler is Python's own.",
    upstream="ipykernel/kernelbase.py pre_handler_hook; trio/_core/_ki.py; Lib/asyncio/runners.py",
    shape=function("signalnum"),
)

TIME_SLEEP = Patch(
    id="interrupt.sleep",
    target="time.sleep",
    what="In a child subshell, an interrupt ends it.",
    why="Signals go to main only, and nothing else breaks a blocking call of another thread.",
    upstream="Python/pythonrun.c PyErr_CheckSignals; PEP 475",
)
SYSTEM = Patch(
    id="output.system",
    target="os.system",
    what="In a child subshell, the command's output goes to the cell, and an interrupt ends it.",
    why="Descriptors are the process's: their output goes to main's current cell.",
    upstream="ipykernel/iostream.py _watch_pipe_fd",
)
POPEN = Patch(
    id="interrupt.processes",
    target="subprocess.Popen.__init__",
    what="Notes which shell started a process, so that its interrupt reaches the process.",
    why="A shell that waits for a process can only be interrupted through the process.",
    upstream="Lib/subprocess.py",
    shape=function("args"),
)
THREAD_SHUTDOWN = Patch(
    id="threads.shutdown",
    target="threading._register_atexit",
    what="The engine learns when main's code has ended.",
    why=(
        "Python then waits for every thread that is no daemon, before `atexit`: one that a "
        "subshell's cell has started could keep the process alive."
    ),
    upstream="Lib/threading.py _shutdown",
)
SWITCH_INTERVAL = Patch(
    id="gil.switch-interval",
    target="sys.setswitchinterval",
    what="Threads ask a running one for the GIL after 0.2 ms instead of 5 ms.",
    why=(
        "While main runs a Python loop, every hand-over of the GIL costs an interval: a control "
        "reply took 16 ms and takes 1.4 ms. No cost to the loop, nor to two threads that compete, "
        "was measurable (tests/bench)."
    ),
    upstream="Python/ceval_gil.c",
)
INTERVAL = 0.0002  # seconds
handler_of = signal.getsignal  # the real one; see `GETSIGNAL`


def thread_changes(ledger: Ledger, hooks: Hooks) -> list[Change]:
    def start(wrapped: Any, thread: Any, args: Any, kwargs: Any) -> Any:
        hooks.inherit(thread)
        return wrapped(*args, **kwargs)

    found: list[Change] = [Wrap(THREAD_START, threading.Thread, "start", start, ledger.switch)]
    if hasattr(threading.Thread, "_wait_for_tstate_lock"):
        found.append(
            SetAttribute(THREAD_END, threading.Thread, "_wait_for_tstate_lock", _wait_for_end)
        )
    return found


def _wait_for_end(thread: Any, block: bool = True, timeout: float = -1) -> None:
    """Wait until a thread has ended, and note it then. See `THREAD_END`."""
    lock = thread._tstate_lock  # the thread holds it as long as it runs
    if lock is None:
        return
    try:
        if lock.acquire(block, timeout):
            lock.release()
            thread._stop()
    except BaseException:
        active: Any = threading._active  # type: ignore[attr-defined]
        if lock.locked() and active.get(thread.ident) is not thread:  # held by this function
            lock.release()
            thread._stop()
        raise


def blocking_changes(ledger: Ledger, hooks: Hooks) -> list[Change]:
    """Sleeps that an interrupt ends, and processes that belong to the shell that started them."""

    original, system = time.sleep, os.system

    def in_child() -> Any:
        return hooks.current() if ledger.switch.on else None

    def of_sleep() -> Any:
        context = in_child()
        if context is None:
            return original

        def sleep(seconds: Any, /) -> None:
            # The shortest ones end soon enough, and keep their precision.
            if not isinstance(seconds, (int, float)) or seconds < 0.02:
                original(seconds)
            else:
                context.sleep(seconds)

        return sleep

    def run_system(command: Any) -> int:
        pipe, merged = subprocess.PIPE, subprocess.STDOUT
        with subprocess.Popen(command, shell=True, stdout=pipe, stderr=merged) as process:
            assert process.stdout is not None
            for line in io.TextIOWrapper(process.stdout, errors="replace"):
                sys.stdout.write(line)
        code = process.returncode  # os.system gives what wait() does
        return -code if code < 0 else code << 8

    def noted(process: Any) -> None:
        if ledger.switch.on:
            hooks.started_process(process)

    def of_system() -> Any:
        return system if in_child() is None else run_system

    return [
        SetAttribute(SYSTEM, os, "system", Frameless(system, of_system)),
        SetAttribute(TIME_SLEEP, time, "sleep", Frameless(original, of_sleep)),
        SetAttribute(
            POPEN,
            subprocess.Popen,
            "__init__",
            FramelessMethod(subprocess.Popen, "__init__", noted),
        ),
    ]


def input_changes(ledger: Ledger, hooks: Hooks, kernel: Any) -> list[Change]:
    """Replace the per-cell swap of input() and getpass() by one dispatcher."""
    switch = ledger.switch
    state = _InputState(kernel)

    stock_forward, stock_restore = kernel._forward_input, kernel._restore_input

    def forward(allow_stdin: bool = False) -> None:
        with state.lock:
            if state.ours:
                kernel._allow_stdin = allow_stdin
                state.cells += 1
            else:
                stock_forward(allow_stdin)

    def restore() -> None:
        with state.lock:
            if state.ours:
                state.cells -= 1
            else:
                stock_restore()

    def of_input() -> Any:
        context = hooks.current() if switch.on else None
        if context is None:
            return kernel.raw_input if state.cells else state.plain_input

        def ask(prompt: object = "", /) -> str:
            return context.ask(str(prompt), False)

        return ask

    def of_getpass() -> Any:
        context = hooks.current() if switch.on else None
        if context is None:
            return kernel.getpass if state.cells else state.plain_getpass

        def ask(prompt: str = "Password: ", stream: Any = None, **options: Any) -> str:
            return context.ask(prompt, True)

        return ask

    return [
        SetAttribute(FORWARD, kernel, "_forward_input", forward),
        SetAttribute(RESTORE, kernel, "_restore_input", restore),
        Action(INPUT, lambda: state.open(of_input, of_getpass), state.close),
    ]


class _InputState:
    """Who owns input() when we are not there: the plain functions, or the kernel inside a cell.

    A cell of main may begin or end while another thread loads or unloads: `ours`, under `lock`,
    says whether we or the stock kernel keep the books at that moment.
    """

    def __init__(self, kernel: Any) -> None:
        self._kernel: Any = kernel
        self.lock = threading.Lock()
        self.ours = False
        self.cells = 0
        self.plain_input: Any = None
        self.plain_getpass: Any = None

    def open(self, of_input: Any, of_getpass: Any) -> None:
        kernel = self._kernel
        with self.lock:
            in_cell = getattr(builtins.input, "__self__", None) is kernel
            if in_cell:
                self.cells = 1
                self.plain_input, self.plain_getpass = kernel._sys_raw_input, kernel._save_getpass
            else:
                self.plain_input, self.plain_getpass = builtins.input, getpass.getpass
            builtins.input = Frameless(self.plain_input, of_input)
            getpass.getpass = Frameless(self.plain_getpass, of_getpass)
            self.ours = True

    def close(self) -> None:
        kernel = self._kernel
        with self.lock:
            self.ours = False
            builtins.input, getpass.getpass = self.plain_input, self.plain_getpass
            if self.cells:  # a cell of main runs: leave things as the stock kernel would have
                kernel._sys_raw_input, kernel._save_getpass = self.plain_input, self.plain_getpass
                builtins.input = kernel.raw_input
                getpass.getpass = kernel.getpass


class _Quiet:
    """The signal was seen to."""

    def __gt__(self, other: object) -> bool:
        return False


class _Raises(_Quiet):
    """User code gets a KeyboardInterrupt."""

    __gt__: Any = staticmethod(functools.partial(signal.default_int_handler, signal.SIGINT))


class Sigint:
    """Our handler of SIGINT: between main's cells, where ipykernel ignores it, and within them."""

    def __init__(self, hooks: Hooks, kernel: Any) -> None:
        self._hooks = hooks
        self._kernel = kernel
        self._former: Any = None
        # `max` calls `_decide` for both of its arguments and then compares what it got, in C: an
        # exception that is raised there shows the user's frames and none of ours, as the stock
        # handler's does. One object, to be compared by identity.
        self._handler = functools.partial(max, key=self._decide)
        self._verdict = _Quiet()
        self._on = False

    def _decide(self, argument: Any) -> _Quiet:
        """Called with the number of the signal, then with the frame."""
        if not isinstance(argument, int):
            return self._verdict
        self._verdict = _Quiet()
        try:
            self._hooks.sigint()
        except KeyboardInterrupt:
            self._verdict = _Raises()
        return self._verdict

    def install(self) -> None:
        """Take over. Main thread."""
        # While a request is handled, ipykernel keeps the idle handler in `saved_sigint_handler`
        # and puts it back afterwards; so that is where ours belongs then.
        kernel, handler = self._kernel, self._handler
        in_handler = handler_of(signal.SIGINT) is signal.default_int_handler
        if in_handler and hasattr(kernel, "saved_sigint_handler"):
            self._former, kernel.saved_sigint_handler = kernel.saved_sigint_handler, handler
        else:
            self._former = signal.signal(signal.SIGINT, handler)
        self._on = True

    def own(self) -> None:
        """After `pre_handler_hook`: SIGINT within a request is ours as well. Main thread."""
        if (
            self._on
            and threading.current_thread() is threading.main_thread()
            and handler_of(signal.SIGINT) is signal.default_int_handler
        ):
            signal.signal(signal.SIGINT, self._handler)

    def remove(self) -> None:
        """Give it back. Main thread."""
        kernel = self._kernel
        self._on = False
        in_handler = getattr(kernel, "saved_sigint_handler", None) is self._handler
        if in_handler:
            kernel.saved_sigint_handler = self._former
        if self.is_ours():
            signal.signal(signal.SIGINT, self._stock)

    def is_ours(self) -> bool:
        """Whether we are told of SIGINT now, rather than code that handles it. Any thread."""
        return handler_of(signal.SIGINT) is self._handler

    @property
    def _stock(self) -> Any:
        return signal.default_int_handler if self._hooks.main_busy() else self._former

    def told(self) -> Change:
        """Code that asks for the handler is told of the stock kernel's. See `GETSIGNAL`."""

        @functools.wraps(handler_of)
        def getsignal(signalnum: int) -> Any:
            found = handler_of(signalnum)
            return self._stock if found is self._handler else found

        return SetAttribute(GETSIGNAL, signal, "getsignal", getsignal)


def interval_change() -> Change:
    """Shorten the switch interval; the former value comes back unless the user set one since."""
    former = 0.0

    def do() -> None:
        nonlocal former
        former = sys.getswitchinterval()
        sys.setswitchinterval(min(INTERVAL, former))

    def undo() -> None:
        if abs(sys.getswitchinterval() - INTERVAL) < INTERVAL / 10:
            sys.setswitchinterval(former)

    return Action(SWITCH_INTERVAL, do, undo)


def thread_shutdown_change(hooks: Hooks) -> Change:
    """Tell the engine when main has ended, while we are loaded."""
    module: Any = threading
    ours: list[Any] = []

    def do() -> None:
        module._register_atexit(hooks.main_ended)
        ours[:] = module._threading_atexits[-1:]  # what stands for it differs between Pythons

    def undo() -> None:
        entries = module._threading_atexits
        entries[:] = [entry for entry in entries if not ours or entry is not ours[0]]

    return Action(THREAD_SHUTDOWN, do, undo)
