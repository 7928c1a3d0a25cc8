"""Looking at what other threads are at, and at where errors have come from."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Any

_looking = threading.RLock()
_stopped = False  # by this module
_BETWEEN = ("ipyext.shells.gates", "ipyext.shells.interrupt", "ipyext.shells.tasks")


@contextlib.contextmanager
def no_collection() -> Iterator[None]:
    """Up to Python 3.11 no garbage is collected within: look at frames of other threads there.

    `sys._current_frames` and `frame.f_back` make frame objects, which may collect garbage. If
    that runs Python code, as ipykernel's own callback of 6.29 to 7.0 does, the other threads run
    on meanwhile, and the frame that is being looked at may be none any more: the process crashes.
    Keep it short. Any thread; one at a time. (Python/pystate.c _PyThread_CurrentFrames)
    """
    if sys.version_info >= (3, 12):
        yield
        return
    global _stopped
    with _looking:
        enabled = gc.isenabled()
        try:
            _stopped = _stopped or enabled
            gc.disable()
            yield
        finally:
            if enabled:
                gc.enable()
                _stopped = False


def leave_out(error: BaseException | None) -> None:
    """Leave out our frames: between a coroutine and what awaits it, and around IPython's methods.

    A person did not write them. In the traceback of `error`, of all that it came from, and of all
    that it is a group of. An error that our own code has raised keeps the frame that did.
    """

    def is_of(traceback: TracebackType) -> bool:
        frame = traceback.tb_frame
        name = frame.f_globals.get("__name__")
        if name in _BETWEEN:
            return True
        # The frame of a child's `run_code` stands for IPython's, which counts on it being there.
        wrapper = str(name).startswith("ipyext_patches.") and frame.f_code.co_name != "run_code"
        return wrapper and traceback.tb_next is not None

    ahead: list[BaseException | None] = [error]
    seen: set[int] = set()
    while ahead:
        one = ahead.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        traceback = one.__traceback__
        while traceback is not None and is_of(traceback):
            traceback = traceback.tb_next
        if traceback is not one.__traceback__:
            one.__traceback__ = traceback
        while traceback is not None:
            after = traceback.tb_next
            if after is not None and is_of(after):
                traceback.tb_next = after.tb_next
            else:
                traceback = after
        parts: Any = getattr(one, "exceptions", ())  # an ExceptionGroup's
        found = parts if isinstance(parts, tuple) else ()
        ahead += [part for part in found if isinstance(part, BaseException)]
        ahead += [one.__cause__, one.__context__]


def _forked() -> None:
    """In a process just forked, maybe while another thread was within: that one is not there."""
    global _looking, _stopped
    _looking = threading.RLock()
    if _stopped:
        _stopped = False
        gc.enable()


if sys.version_info < (3, 12) and hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)  # for good: Python has no way back
