"""When an exception may be raised in a thread, and nothing but the code of cells is hit by it.

An asynchronous exception is delivered to a thread at some later bytecode. The gate makes sure
that this bytecode belongs to user code: an exception is set only while the gate is open, and
closing the gate takes back one that has not been delivered.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Any

from ipyext.shells.raising import raise_in, take_back

# Seconds. So the code that closes a gate meets two exceptions at most: see `Steps`.
SAME = 0.002


class Reach(Enum):
    """How an interrupt reaches a shell's code."""

    RAISED = "raised"  # the code runs: the exception is on its way
    SUSPENDED = "suspended"  # it awaits: whatever it awaits must be cancelled
    WAITING = "waiting"  # it has not begun: raised as soon as it does
    NOTHING = "nothing"  # there is none


class Gate:
    """Open while one thread runs user code. All but `interrupt` belong to that thread.

    To close it, the thread sets `closing`, which nothing can interrupt, and then calls `close`,
    which an exception that is on its way already may still hit: see `Steps`.

    Attributes:
        closing: the thread is about to close it; no exception is sent any more.
        asked: when the present work was last interrupted (`time.monotonic`), or None.
        arriving: called in the thread just before an interrupt is raised there.
        since: when code of a task was last begun (`time.monotonic`).
    """

    def __init__(self) -> None:
        self.arriving: Callable[[], None] = lambda: None
        self._lock = threading.RLock()
        self._thread_id = 0
        self._working = False
        self._work = 0
        self._waiting = False
        self._suspended = False
        self._open = False
        self._late = False
        self._holding = False
        self._delivery: type[BaseException] | None = None
        self._arrived = 0.0
        self._task = self.closing = False
        self.since = 0.0
        self.asked: float | None = None

    @contextmanager
    def work(self) -> Iterator[None]:
        """The thread works on something. Interrupts of it are forgotten at the end."""
        with self._lock:
            self._working, self._waiting, self.asked = True, False, None
            self._work += 1
        try:
            yield
        finally:
            with self._lock:
                self._working = self._waiting = self._suspended = False

    @property
    def is_open(self) -> bool:
        return self._open

    @property
    def of_task(self) -> bool:
        """Whether code of a task runs; the cell, if there is one, awaits."""
        return self._open and self._task

    @property
    def in_loop(self) -> bool:
        """Whether no cell's code runs: it awaits something, or there is none."""
        return self.of_task or self._suspended or not self._working

    @property
    def blocked(self) -> float | None:
        """For how many seconds an interrupt has not arrived: the thread runs no Python code.

        Or it is at what must not be interrupted, see `held`. None if none is on its way.
        """
        asked = self.asked
        on_its_way = self._delivery is not None or (self._holding and self._waiting)
        return time.monotonic() - asked if on_its_way and asked is not None else None

    def _new_delivery(self) -> type[BaseException]:
        """A KeyboardInterrupt that tells us when it is raised.

        It is made per interrupt; to user code it is KeyboardInterrupt by name and by `except`.
        """
        gate = self

        def delivered(self: BaseException, *args: object) -> None:
            KeyboardInterrupt.__init__(self, *args)
            if threading.get_ident() != gate._thread_id and gate._delivery is new:
                # Up to Python 3.11 a thread that is just being started has its creator's id.
                raise_in(gate._thread_id, new)
                return
            gate.arriving()
            gate._arrived = time.monotonic()
            if gate._delivery is new:  # else a later one is on its way
                gate._delivery = None

        names = {"__init__": delivered, "__module__": "builtins"}
        new = type("KeyboardInterrupt", (KeyboardInterrupt,), names)
        return new

    def open(self, *, task: bool = False) -> None:
        """User code begins, or goes on: a cell's, or that of a task.

        Raises:
            KeyboardInterrupt: the interrupt came before the cell's code.
        """
        with self._lock:
            self._thread_id = threading.get_ident()
            self._holding = self.closing = False
            self._open, self._task = True, task
            if task:
                self.since = time.monotonic()
                return
            self._suspended = False
            waiting, self._waiting = self._waiting, False
        if waiting:
            self.arriving()
            raise KeyboardInterrupt

    def close(self) -> bool:
        """Afterwards no exception of ours can arrive, and the code counts as awaiting something.

        True if one was on its way, or asked for since `closing` was set.
        """
        with self._lock:
            self._open = False
            if not self._task:
                self._suspended = not self._holding
            late, self._late = self._late or self._delivery is not None, False
            if self._delivery is not None:
                take_back()
                self._delivery = None
            return late

    @property
    def waits(self) -> bool:
        """Whether an interrupt has come that is raised when user code goes on."""
        return self._waiting

    @contextmanager
    def held(self) -> Iterator[None]:
        """No interrupt arrives within; one that comes is raised at the end.

        For code of a debugger that runs between two lines of user code and takes locks. It may be
        any thread's; only of the gate's own are interrupts held.
        """
        if not self._open or threading.get_ident() != self._thread_id:
            yield
            return
        self._holding = self.closing = True  # it does not await: there is nothing to cancel
        late, task = close_gate(self), self._task
        with self._lock:
            self._waiting = self._waiting or (late and not task)
        try:
            yield
        finally:
            self.open(task=task)
            if late and task:
                raise KeyboardInterrupt

    def interrupt(self) -> Reach:
        """Have KeyboardInterrupt raised in the user code. Any thread.

        One that follows within `SAME` seconds of another's arrival counts as that one.
        """
        with self._lock:
            if not self._working and (self._task or not self._open):
                return Reach.NOTHING
            if self._delivery is None and not self._waiting:
                self.asked = time.monotonic()
            if self._open and not self._task:
                self._send()
                return Reach.RAISED
            if self._suspended:
                return Reach.SUSPENDED
            self._waiting = True
            return Reach.WAITING

    def interrupt_task(self) -> None:
        """Have it raised in the task whose code runs, if one does. Any thread."""
        with self._lock:
            if self.of_task:
                if self._delivery is None:
                    self.asked = time.monotonic()
                self._send()

    def _send(self) -> None:
        if self.closing:
            self._late = True
        elif self._delivery is None and time.monotonic() - self._arrived > SAME:
            self._delivery = self._new_delivery()
            raise_in(self._thread_id, self._delivery)

    def dropped(self) -> int | None:
        """Python dropped a KeyboardInterrupt. The number of the work, if that was an interrupt."""
        if not self._working or self.asked is None:
            return None
        self._arrived = 0.0  # what follows is no repetition
        return self._work

    @contextmanager
    def during(self, work: int) -> Iterator[bool]:
        """Whether the thread is still at the work of that number; it stays there. Any thread."""
        with self._lock:
            yield self._working and self._work == work

    def hold(self) -> None:
        """Have it raised when the code goes on."""
        with self._lock:
            self._waiting = self._working


class MainGate:
    """Main's gate. Its exception comes from our SIGINT handler, which Python runs on main.

    Everything here runs on main. While main works on a request but not in user code, an interrupt
    waits for the user code to begin, and is forgotten when the request ends.

    Attributes:
        asked: the present request was interrupted.
    """

    def __init__(self) -> None:
        self.working = self.asked = False
        self.interrupted = False
        self.closing = False
        self._is_open = False
        self._late = False
        self._pending = False
        self._held = False
        self._task: asyncio.Future[Any] | None = None

    def open(self) -> None:
        """User code begins.

        Raises:
            KeyboardInterrupt: the interrupt came before the code.
        """
        self.closing = False
        self._is_open = True
        if self._pending:
            self._pending = False
            raise KeyboardInterrupt

    def close(self) -> bool:
        """The code has ended, or awaits. True if SIGINT came since `closing` was set."""
        self._is_open = False
        late, self._late = self._late, False
        return late

    @property
    def waits(self) -> bool:
        """See `Gate.waits`."""
        return self._held and self._late

    @contextmanager
    def held(self) -> Iterator[None]:
        """See `Gate.held`."""
        if not self._is_open or self._held:
            yield
            return
        self._held = True
        try:
            yield
        finally:
            self._held = False
            late, self._late = self._late, False
            if late:
                raise KeyboardInterrupt

    def let_in(self, function: Callable[[], Any]) -> Any:
        """Call `function`, which is people's code, within `held`.

        Raises:
            KeyboardInterrupt: it was interrupted, or an interrupt was held.
        """
        held = self._held
        try:
            self._held = False
            if held and self._late:
                self._late = False
                raise KeyboardInterrupt
            return function()
        finally:
            self._held = held

    @contextmanager
    def shield(self) -> Iterator[None]:
        """No interrupt within: a reply is sent whole or not at all."""
        former, self._is_open = self._is_open, False
        try:
            yield
        finally:
            self._is_open = former

    @contextmanager
    def request(self) -> Iterator[None]:
        """Main works on a request."""
        self.working, self._pending, self.asked = True, False, False
        try:
            yield
        finally:
            self.done()

    def done(self) -> None:
        """Nothing is left of the request but to say so: an interrupt is not meant for main."""
        self.working = self._pending = self._is_open = False

    @contextmanager
    def suspended(self, task: asyncio.Future[Any]) -> Iterator[None]:
        """`task` is main's cell, which may be awaiting."""
        self._task = task
        try:
            yield
        finally:
            self._task = None

    def on_signal(self) -> bool:
        """SIGINT. False if main has nothing to interrupt.

        Raises:
            KeyboardInterrupt: user code runs.
        """
        self.asked = self.working
        if self._is_open:
            if not self.closing and not self._held:
                raise KeyboardInterrupt
            self._late = True
            return True
        if self._task is not None:
            # call_soon_threadsafe, because it wakes the loop: main sits in its select.
            asyncio.get_event_loop().call_soon_threadsafe(self._cancel, self._task)
            return True
        self._pending = self.working
        return self.working

    def _cancel(self, task: asyncio.Future[Any]) -> None:
        if not task.done():
            self.interrupted = True
            task.cancel()

    def exception(self, error: BaseException) -> BaseException:
        """What to raise in main's cell where `error` ends an await of it."""
        if self.interrupted and isinstance(error, asyncio.CancelledError):
            self.interrupted = False
            return KeyboardInterrupt()
        return error


def close_gate(gate: Gate | MainGate) -> bool:
    """Close a gate whose `closing` is set; True if an interrupt came in these lines or before.

    The thread whose gate it is.

    Two exceptions may still be on their way: one that was sent before, and that of a thread which
    is just sending one. So the third call is safe.
    """
    try:
        return gate.close()
    except KeyboardInterrupt:
        try:
            gate.close()
        except KeyboardInterrupt:
            gate.close()
        return True
