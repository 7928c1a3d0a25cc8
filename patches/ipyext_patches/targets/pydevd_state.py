"""What this boundary does to pydevd's own state: its threads, its steps, what it knows of code."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
from typing import Any


def kill_threads(threads: list[threading.Thread]) -> list[threading.Thread]:
    """Tell debugpy's threads to end; returns them."""
    own: list[Any] = [thread for thread in threads if hasattr(thread, "do_kill_pydev_thread")]
    for thread in own:
        thread.do_kill_pydev_thread()
    return own


def connections(threads: list[threading.Thread]) -> list[socket.socket]:
    """Copies of the sockets that debugpy's threads read from: `stoptrace` closes the originals."""
    found = []
    for thread in threads:
        with contextlib.suppress(OSError):  # it is closed
            if isinstance(own := getattr(thread, "sock", None), socket.socket):
                found.append(own.dup())
    return found


def end_threads(threads: list[threading.Thread], read: list[socket.socket]) -> None:
    """End what `stoptrace` has not: a thread that has only just been started, and the reader.

    Args:
        threads: of the process, before `stoptrace`.
        read: their connections. The reader waits for the end of its own.
    """
    for connection in read:
        with connection, contextlib.suppress(OSError):  # the other side has ended it
            connection.shutdown(socket.SHUT_RDWR)
    for thread in kill_threads(threads):
        thread.join(5.0)


def forget_code(debugger: Any) -> None:
    """What pydevd knows of code is void: equal functions of two files are the same to it."""
    debugger.mtime += 1  # from Python 3.12 on
    pydevd = sys.modules["pydevd"]
    for name in ("global_cache_skips", "global_cache_frame_skips"):
        getattr(pydevd, name, {}).clear()


def forget_steps() -> None:
    """No thread is on its way to a stop any more: it would stop at once in the next session."""
    from _pydevd_bundle.pydevd_thread_lifecycle import resume_threads

    resume_threads("*")


def forget_step(thread: threading.Thread) -> None:
    """The same for one thread, without a lock: safe in a signal handler."""
    from _pydevd_bundle.pydevd_constants import STATE_RUN

    details = getattr(thread, "additional_info", None)
    if details is not None:
        details.pydev_original_step_cmd = details.pydev_step_cmd = -1
        details.pydev_step_stop = None
        details.pydev_state = STATE_RUN


def thread_name(thread: threading.Thread) -> Any:
    """What pydevd calls a thread."""
    from _pydevd_bundle.pydevd_constants import get_thread_id

    return get_thread_id(thread)


def is_step(thread: Any) -> bool:
    """Whether a thread stops because it was stepping."""
    from _pydevd_bundle import pydevd_comm_constants as constants

    names = ("INTO", "OVER", "RETURN", "INTO_MY_CODE", "OVER_MY_CODE", "RETURN_MY_CODE")
    steps = {getattr(constants, f"CMD_STEP_{name}", None) for name in names}
    return getattr(thread, "stop_reason", None) in steps


def global_debugger() -> Any:
    constants = sys.modules.get("_pydevd_bundle.pydevd_constants")
    return None if constants is None else constants.get_global_debugger()
