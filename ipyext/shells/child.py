"""A child subshell: one thread, one event loop, one InteractiveShell of its own."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
from collections.abc import Awaitable, Callable
from typing import Any

from ipyext.shells.gates import Gate, Reach
from ipyext.shells.interrupt import Interruptible
from ipyext.shells.shell import Place, Shell
from ipyext.shells.tasks import Task, cancel_others, report
from ipyext_patches import Living, call_soon, goes_on, report_callback

# Seconds that a task may run on when its shell is interrupted.
GRACE = 0.02


class ChildShell(Shell):
    """A shell in a thread of its own, with an event loop that runs also between its cells.

    Owned by its thread: the loop, the InteractiveShell (made when it is first needed), the gate.
    Any thread may call `put`, `interrupt`, `close` and `stop`. The thread is a daemon: code that
    never ends cannot keep the process alive.

    Args:
        shell_id: its id.
        name: its name, or None.
        work: answers one queued item; awaited in the thread.
        later: has a function called in so many seconds, in a thread that runs no people's code.
        new_interactive: makes the InteractiveShell; called in the thread.
        ended: called in the thread as the last thing.
        ephemeral: it closes itself when its first item is answered.
    """

    def __init__(
        self,
        shell_id: str,
        name: str | None,
        *,
        work: Callable[[ChildShell, Any], Awaitable[None]],
        later: Callable[[float, Callable[[], None]], None],
        new_interactive: Callable[[ChildShell], Any],
        ended: Callable[[ChildShell], None],
        ephemeral: bool = False,
    ) -> None:
        super().__init__(shell_id, name)
        self.ephemeral = ephemeral
        self.gate = Gate()
        self._work = work
        self._later = later
        self._new_interactive = new_interactive
        self._ended = ended
        self._interactive: Any | None = None
        self._running: Interruptible | None = None
        self._loop = asyncio.new_event_loop()
        self._nothing_to_do: asyncio.Future[None] | None = None
        # Daemon, and not hidden from debuggers: breakpoints in its cells must be hit.
        self.thread = threading.Thread(
            target=self._main, name=f"subshell-{self.label}", daemon=True
        )

    def start(self) -> None:
        """Start the thread. Its loop takes calls already."""
        self.thread.start()

    def discard(self) -> None:
        """Give up a child whose thread was never started."""
        self.close()
        self._loop.close()

    @property
    def interactive(self) -> Any:
        """The child's InteractiveShell. Made on first use, in its thread."""
        if self._interactive is None:
            self._interactive = self._new_interactive(self)
        return self._interactive

    @property
    def thread_id(self) -> int | None:
        return self.thread.ident

    @property
    def history(self) -> Any | None:
        """Its history manager; None as long as it has run nothing. Any thread, to read."""
        return None if self._interactive is None else self._interactive.history_manager

    def _wake(self) -> None:
        # The loop is closed once the thread has ended; `put` refuses from `close` on.
        with contextlib.suppress(RuntimeError):
            call_soon(self._loop, self._go_on)

    # -- in the thread -------------------------------------------------------------------------

    def _go_on(self) -> None:
        if self._nothing_to_do is not None and not self._nothing_to_do.done():
            self._nothing_to_do.set_result(None)

    def _main(self) -> None:
        loop = self._loop
        loop.set_task_factory(functools.partial(Task, gate=self.gate))
        loop.set_exception_handler(report)
        asyncio.set_event_loop(loop)
        try:
            self._run(Living(self._live(), loop=loop))
        finally:
            self._ended(self)
            asyncio.set_event_loop(None)
            loop.set_task_factory(None)  # tornado may keep the closed loop, with what that holds
            loop.close()

    def _run(self, living: Living) -> None:
        """Run the loop until `living` is done, whatever tasks and callbacks of cells raise."""
        living.add_done_callback(lambda _: self._loop.stop())
        while not living.done():
            try:
                self._loop.run_forever()
            except (SystemExit, KeyboardInterrupt) as error:  # asyncio ends a loop for these two
                running = self._running
                if running is not None:  # before any other task goes on
                    running.cancel_if_asked()
                report_callback(self._loop, error)
        living.result()

    async def _live(self) -> None:
        await self._serve()
        await cancel_others()
        await asyncio.get_running_loop().shutdown_asyncgens()

    async def _serve(self) -> None:
        # One task for all cells: context variables set by a cell are there in the next one.
        while True:
            item = self.take()
            if item is None:
                if self.closed:
                    return
                self._nothing_to_do = self._loop.create_future()
                if not self.ready and not self.closed:
                    await self._nothing_to_do
                continue
            try:
                with self.gate.work():
                    await self._work(self, item)
            finally:
                self.done()
            if self.ephemeral and not self.queued:
                return
            await asyncio.sleep(0)  # tasks that cells have left behind have their turn, as on main

    async def drive(self, coroutine: Any, *, awaits: bool = False) -> Any:
        """Run a cell's coroutine; `interrupt` reaches it. In the thread.

        Raises:
            KeyboardInterrupt: it was interrupted and did not catch that.
        """
        self._running = Interruptible(coroutine, self.gate)
        try:
            return await self._running.run(awaits=awaits)
        finally:
            self._running = None

    # -- from anywhere -------------------------------------------------------------------------

    @property
    def at_work(self) -> bool:
        """Whether its thread runs a cell, or what a cell has left: a task, a callback."""
        return self.busy or self.gate.of_task or bool(self.waits)

    def ask_idle(self, answer: Callable[[bool], None]) -> None:
        """Call `answer` with whether its cells have left no tasks and timers. Any thread.

        It is called in the thread, once what runs there lets it; never, if that has ended.
        """
        with contextlib.suppress(RuntimeError):
            call_soon(self._loop, lambda: answer(not goes_on(self._loop)))

    def reserve(self) -> Place | None:
        """Keep a place at the end of the queue; None if it is closed. Any thread."""
        place = Place(self)
        return place if self.put(place) else None

    def interrupt(self) -> bool:
        """Interrupt what runs: code, waits, processes. False if nothing does. Any thread."""
        # First the exception: code goes on as soon as its process has ended. But to the processes
        # of this cell, for the next one may begin meanwhile.
        cell, processes = self.current, self.processes
        if not self.gate.in_loop:
            try:
                return self._interrupt_code()
            finally:
                self.signal(processes, cell)
        running, reach = self._running, self.gate.interrupt()
        held_up = self.gate.of_task or bool(self.waits)
        if held_up or reach is not Reach.NOTHING:
            self._interrupt_task()
        if reach is Reach.SUSPENDED and running is not None:
            running.interrupt()
        if not held_up:
            self.signal(processes, cell)
        return held_up or reach is not Reach.NOTHING

    def _interrupt_code(self) -> bool:
        if self.end_pauses():
            return True
        running, reach = self._running, self.gate.interrupt()
        if reach in (Reach.WAITING, Reach.RAISED):
            # It may have begun to wait just now. An exception that waits as long as that would, up
            # to Python 3.11, also hang the next traced call of every other thread.
            self.end_pauses()
        if reach is Reach.SUSPENDED and running is not None:
            running.interrupt()
        return reach is not Reach.NOTHING

    def _interrupt_task(self) -> None:
        """Interrupt the task or callback that runs, if it holds up the loop.

        One that does not is left alone: the interrupt means the cell, if there is one.
        """
        goes_on = threading.Event()
        with contextlib.suppress(RuntimeError):  # the thread has just ended
            call_soon(self._loop, goes_on.set)

        def look() -> None:
            if goes_on.is_set():
                return
            if not self.gate.in_loop:  # the cell has gone on first
                if self._running is not None and self._running.withdraw():
                    self.interrupt()
                return
            if not self.end_pauses():
                self.gate.interrupt_task()
                self.end_pauses()  # see `_interrupt_code`
            self.signal(self.processes, None)

        self._later(GRACE, look)

    def interrupt_again(self, work: int) -> None:
        """Interrupt its code once more, if it is still at the work of that number. Any thread."""
        with self.gate.during(work) as it_is:
            if it_is:
                self._interrupt_code()

    def stop(self) -> None:
        """End the thread as soon as its code lets it. `close` first. Any thread."""
        self.interrupt()
        self._wake()

    def retire(self) -> None:
        """Take nothing in any more; end the thread when what was queued is done. Any thread."""
        with self._lock:
            self.closed = True
        self._wake()

    def stop_after_current(self) -> None:
        """End the thread when what runs has ended by itself. `close` first. Any thread."""
        self._wake()
