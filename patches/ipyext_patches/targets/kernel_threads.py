"""debugpy's marks for threads that it is to leave alone: the kernel's, not the person's."""

from __future__ import annotations

import sys
import threading
from typing import Any

from zmq.utils.garbage import GarbageCollectorThread

from ipyext_patches.frames import no_collection
from ipyext_patches.ledger import MISSING, Action
from ipyext_patches.spec import Patch

MARKS = Patch(
    id="debugger.kernel-threads",
    target="pydev_do_not_trace and is_pydev_daemon_thread of the threads of the kernel and pyzmq",
    what="While the debugger is on, it neither shows nor stops them.",
    why="ipykernel 5 marks none; a kernel whose iopub thread is stopped says nothing any more.",
    upstream="ipykernel/control.py, iostream.py (6.0 on)",
)

_NAMES = ("pydev_do_not_trace", "is_pydev_daemon_thread")
_KINDS = ("Heartbeat", "ParentPollerUnix", "ParentPollerWindows")
_HISTORY = ("IPythonHistorySavingThread", "ipyext-history")


def marked(kernel: Any) -> Action:
    """The threads of this kernel are marked."""
    threads = _threads(kernel)
    former: list[tuple[Any, str, Any]] = []

    def put() -> None:
        for thread in threads:
            for name in _NAMES:
                former.append((thread, name, vars(thread).get(name, MISSING)))
                setattr(thread, name, True)

    def take_back() -> None:
        for thread, name, value in reversed(former):
            if value is MISSING:
                delattr(thread, name)
            else:
                setattr(thread, name, value)

    return Action(MARKS, put, take_back)


def _threads(kernel: Any) -> list[Any]:
    found = [getattr(kernel, name, None) for name in ("iopub_thread", "control_thread")]
    threads = [getattr(thread, "thread", thread) for thread in found if thread is not None]
    for stream in (sys.stdout, sys.stderr):
        watcher = getattr(stream, "watch_fd_thread", None)
        threads += [watcher] * (watcher is not None)
    alive = threading.enumerate()
    threads += [t for t in alive if t.name in _HISTORY or type(t).__name__ in _KINDS]
    # pyzmq starts one with the first long message: the mark is its class's.
    return [*threads, GarbageCollectorThread]


def has_ended(thread: threading.Thread) -> bool:
    """Whether it only stands for a thread that Python did not know, and that runs no more.

    From Python 3.12 on debugpy looks into threads to their very end, when Python has forgotten
    them, and keeps what it makes in place of one.
    """
    if not isinstance(thread, threading._DummyThread):
        return False
    with no_collection():
        return thread.ident not in sys._current_frames()
