"""What every shell has: a queue, a state, a count."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import psutil

from ipyext.shells.request import Message, Request
from ipyext.shells.waiting import Pause

if TYPE_CHECKING:
    from ipyext.shells.child import ChildShell


class Work(Protocol):
    """Something a shell does on its own thread: a request, a detached cell."""

    async def run(self, shell: Any) -> None: ...

    def delete(self, label: str) -> None: ...


class EndOfAbort:
    """Queued behind what an error aborts: from here on, cells run again."""


class Place:
    """A place in a child's queue, kept for a cell that another shell is about to launch there.

    Nothing behind it runs before it is filled or given up. Any thread may call any method.
    """

    def __init__(self, child: ChildShell) -> None:
        self.child = child

    def fill(self, item: Any) -> bool:
        """`item` runs here. False if there is no such place any more."""
        return self.child.replace(self, [item])

    def give_up(self) -> None:
        """Nothing runs here, unless it was filled."""
        self.child.replace(self, [])

    def delete(self, label: str) -> None:
        """The child was deleted. Whoever comes to fill it is told."""


def _same_group(pid: int) -> list[psutil.Process]:
    """The descendants of a process that are in its process group."""
    try:
        group = os.getpgid(pid) if hasattr(os, "getpgid") else None
        return [
            process
            for process in psutil.Process(pid).children(recursive=True)
            if group is None or os.getpgid(process.pid) == group
        ]
    except (psutil.Error, OSError):
        return []


class Shell:
    """A subshell: its queue and what it is doing. Subclasses say where its code runs.

    `put` may be called from any thread, `take` and `done` from the shell's own. The lock covers
    the queue and the state; nothing is called while it is held.

    Attributes:
        id: None for the parent subshell.
        name: what people call it, or None.
        executed: cells run so far.
        captures: output captures in force, innermost last; the boundary's.
        storage: what others keep for this shell, such as its figures.
        aborting: cells are aborted instead of run, because one before them failed.
    """

    def __init__(self, shell_id: str | None, name: str | None) -> None:
        self.id = shell_id
        self.name = name
        self.executed = 0
        self.aborting = False
        self.closed = False
        self.current: Request | None = None
        self.since = time.monotonic()
        self.captures: list[Any] = []
        self.storage: dict[str, Any] = {}
        self._pauses: list[Pause] = []
        self._processes: weakref.WeakSet[Any] | None = None
        self._lock = threading.RLock()
        self._queue: deque[Any] = deque()

    @property
    def label(self) -> str:
        """Name or id, for messages."""
        return self.name or self.id or "main"

    @property
    def interactive(self) -> Any | None:
        """Its own InteractiveShell; None where main's is meant."""
        return None

    @property
    def thread_id(self) -> int | None:
        """What Python calls the `ident` of the thread that its cells run in."""
        return threading.main_thread().ident

    @property
    def busy(self) -> bool:
        return self.current is not None

    @property
    def queued(self) -> int:
        """Requests waiting."""
        with self._lock:
            return sum(1 for item in self._queue if not isinstance(item, EndOfAbort))

    @contextmanager
    def pause(self, pause: Pause) -> Iterator[None]:
        """`pause` is what this shell's code waits for.

        An interrupt of the shell ends what its cell waits for, and not what threads wait for that
        its cells have started: as Python does it on main.
        """
        pause.of_cell = threading.get_ident() == self.thread_id
        with self._lock:
            self._pauses.append(pause)
        try:
            yield
        finally:
            with self._lock:
                self._pauses.remove(pause)

    @property
    def waits(self) -> str:
        """What its code waits for, for people; empty if it does not."""
        with self._lock:
            return next((p.what for p in reversed(self._pauses) if p.of_cell), "")

    def end_pauses(self) -> bool:
        """Interrupt what its cell waits for. False if it does not wait. Any thread."""
        with self._lock:  # so each of them sees it: who stops waiting looks after this
            found = [pause for pause in self._pauses if pause.of_cell]
            for pause in found:
                pause.interrupt()
            return bool(found)

    def started(self, process: Any) -> None:
        """`process`, a subprocess.Popen, is being started by this shell's code."""
        with self._lock:
            if self._processes is None:  # few shells start any
                self._processes = weakref.WeakSet()
            self._processes.add(process)

    @property
    def processes(self) -> list[Any]:
        """The running processes that this shell's code started."""
        with self._lock:
            return self._running_processes()

    def _running_processes(self) -> list[Any]:
        return [
            process
            for process in self._processes or ()
            if getattr(process, "pid", None) is not None and process.returncode is None
        ]

    def signal(self, processes: list[Any], cell: Any) -> None:
        """SIGINT to these and to what `cell` has started since, as Ctrl-C would. Any thread."""
        found = list(processes)
        with self._lock:
            if cell is not None and self.current is cell:
                found += [one for one in self._running_processes() if one not in processes]
        for process in found:
            with contextlib.suppress(OSError, ValueError):
                # A command shell that waits for its own child does not end before that.
                for descendant in _same_group(process.pid):
                    with contextlib.suppress(psutil.Error, OSError):
                        descendant.send_signal(signal.SIGINT)
                process.send_signal(signal.SIGINT)

    def works_on(self, comm_id: str) -> bool:
        """Whether a message of that comm is queued or being handled here."""
        with self._lock:
            items = [*self._queue, self.current]
        return any(isinstance(i, Request) and i.comm_id == comm_id for i in items)

    def put(self, item: Any) -> bool:
        """Queue `item` and wake the shell; False if the shell is closed."""
        with self._lock:
            if self.closed:
                return False
            self._queue.append(item)
        self._wake()
        return True

    def replace(self, item: Any, others: list[Any]) -> bool:
        """Queue `others` where `item` was, and wake the shell; False if it is not queued."""
        with self._lock:
            if item not in self._queue:
                return False
            where = self._queue.index(item)
            del self._queue[where]
            for other in reversed(others):
                self._queue.insert(where, other)
        self._wake()
        return True

    def _wake(self) -> None:
        raise NotImplementedError

    @property
    def ready(self) -> bool:
        """Whether `take` has something: what is first is there, and not only its place."""
        with self._lock:
            return bool(self._queue) and not isinstance(self._queue[0], Place)

    def take(self) -> Any | None:
        """The next thing to do, or None. The shell is busy with it until `done`."""
        with self._lock:
            while self.ready:
                item = self._queue.popleft()
                if isinstance(item, EndOfAbort):
                    self.aborting = False
                    continue
                self.current = item
                self.since = time.monotonic()
                return item
        return None

    def done(self) -> None:
        """The shell is idle."""
        with self._lock:
            self.current = None
            self.since = time.monotonic()

    def close(self) -> list[Any]:
        """Take nothing in any more; returns what was queued."""
        with self._lock:
            self.closed = True
            return self._drain()

    def drain(self) -> list[Any]:
        """Give up what is queued, oldest first."""
        with self._lock:
            return self._drain()

    def withdraw(self, wanted: Callable[[Any], bool]) -> list[Any]:
        """Give up what is queued and `wanted`, oldest first."""
        with self._lock:
            found = [item for item in self._queue if wanted(item)]
            self._queue = deque(item for item in self._queue if item not in found)
            return found

    def _drain(self) -> list[Any]:
        items = [item for item in self._queue if not isinstance(item, EndOfAbort)]
        self._queue.clear()
        return items


class ParentShell(Shell):
    """Main. Its turns come from the boundary, which keeps the stock kernel's order.

    Attributes:
        stopped_at: the debugger has stopped it; what an interrupt is told.
    """

    def __init__(self, wake: Any) -> None:
        super().__init__(None, None)
        self._wake_main = wake
        self._adopted: Request | None = None
        self.stopped_at: Pause | None = None

    def adopt(self, request: Request) -> None:
        """The stock kernel has main work on `request`; `disown` says that it does no more."""
        with self._lock:
            if self.current is None:
                self.current = self._adopted = request
                self.since = time.monotonic()

    def disown(self) -> None:
        """Undo `adopt`. Nothing happens while main works on a request from its queue."""
        with self._lock:
            if self._adopted is not None and self.current is self._adopted:
                self.executed += self._adopted.type == "execute_request"
                self.done()
            self._adopted = None

    def pick(self, wanted: Callable[[Any], bool]) -> Any | None:
        """Take the oldest that is queued and `wanted` out of its turn; None if there is none."""
        with self._lock:
            item = next((item for item in self._queue if wanted(item)), None)
            if item is not None:
                self._queue.remove(item)
            return item

    def cells(self) -> list[str]:
        """The cell that runs and those that wait, oldest first. Any thread."""
        with self._lock:
            items = [self.current, *self._queue]
        return [i.code for i in items if isinstance(i, Request) and i.type == "execute_request"]

    @property
    def only_launches(self) -> bool:
        """Whether all that it has to do is launching detached cells, which is done at once."""
        with self._lock:
            items = [*([] if self.current is None else [self.current]), *self._queue]
        return all(isinstance(item, Request) and item.launches for item in items)

    def message(self, main: Any) -> Message:
        """The request that main works on, or did last. `main` is its InteractiveShell."""
        if self.current is not None:
            return dict(self.current.message)
        message = None
        with contextlib.suppress(LookupError):  # ipykernel 7.0 knows of none in a thread
            message = main.get_parent() if hasattr(main, "get_parent") else None
        if not message:
            message = {"header": {"msg_id": "", "msg_type": "execute_request", "session": ""}}
        return {"content": {}, "metadata": {}, "parent_header": {}, **message}

    @property
    def idents(self) -> list[bytes]:
        """The client that it works for; none if it does not."""
        return [] if self.current is None else self.current.idents

    def _wake(self) -> None:
        self._wake_main()
